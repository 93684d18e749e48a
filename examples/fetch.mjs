// A service that calls another one by its upstream's name: `node examples/fetch.mjs` beside a registry on 127.0.0.1:8500
// (`upsync registry`, or `npm start`, which also fills the upstream "backend").
import { createUpstream } from 'upsync';
import { fetch } from 'undici';

const registry = process.env.REGISTRY ?? '127.0.0.1:8500';
const backend = createUpstream({
  name: 'backend',
  source: `${registry}/v1/kv/upstreams/backend/ upsync_type=consul upsync_interval=500ms`,
});
try {
  const { servers } = await backend.ready();
  console.log(`following ${servers.length} servers`);
  for (let i = 0; i < 6; i += 1) {
    const response = await fetch('http://backend/', { dispatcher: backend.dispatcher });
    console.log(`${response.status} ${(await response.text()).trim()}`);
  }
} finally {
  await backend.close();
}
