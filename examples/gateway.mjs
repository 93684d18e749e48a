// A small gateway in front of the upstream "backend": `node examples/gateway.mjs`, then `curl http://127.0.0.1:8090/`.
// Built on hono, whose routes look like express's; any server will do.
import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import { createUpstream } from 'upsync';
import { request } from 'undici';

const registry = process.env.REGISTRY ?? '127.0.0.1:8500';
const port = Number(process.env.PORT ?? 8090);
const backend = createUpstream({
  name: 'backend',
  source: `${registry}/v1/kv/upstreams/backend/ upsync_type=consul upsync_interval=500ms`,
  nextUpstream: ['error', 'timeout', 'http_502', 'http_503'],
});
let leaving = false;
const app = new Hono();
// A client must not keep a connection to a gateway that is about to go.
app.use(async (context, next) => {
  await next();
  if (leaving) context.header('connection', 'close');
});
app.get('/servers', (context) => context.json(backend.snapshot?.servers ?? []));
app.get('/*', async (context) => {
  const url = `http://backend${context.req.path}`;
  const { statusCode, body } = await request(url, { dispatcher: backend.dispatcher });
  return context.body(await body.text(), statusCode);
});
const server = serve({ fetch: app.fetch, port, hostname: '127.0.0.1' }, () =>
  console.log(`listening on 127.0.0.1:${port}`),
);

// An ordered end: no new connections, requests under way finish, then the upstream's connections close.
for (const signal of ['SIGTERM', 'SIGINT']) {
  process.once(signal, () => {
    leaving = true;
    server.close(() => void backend.close());
  });
}
