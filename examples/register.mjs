// A service that registers itself in Consul with a TTL check, and leaves on SIGTERM without failing a request:
// `node examples/register.mjs` beside a Consul (or `upsync registry`) on 127.0.0.1:8500, then `kill -TERM` it.
// Whoever follows it (`upsync_type=consul_health` with the path /v1/health/service/hello) sees it come and go.
import { once } from 'node:events';
import { createServer } from 'node:http';
import { Registrar } from 'upsync';

const agent = process.env.REGISTRY ?? 'http://127.0.0.1:8500';
let leaving = false;
const server = createServer((request, response) => {
  // A client must not keep a connection to a server that is about to go.
  if (leaving) response.setHeader('connection', 'close');
  const ms = request.url === '/slow' ? 500 : 0;
  setTimeout(() => response.end('hello\n'), ms);
});
server.listen(Number(process.env.PORT ?? 0), '127.0.0.1');
await once(server, 'listening');
const { port } = server.address();

const registrar = new Registrar({
  agent,
  name: 'hello',
  address: '127.0.0.1',
  port,
  weight: 2,
  ttlMs: 15_000,
  // Longer than it takes everybody to hear that this instance takes nothing new.
  drainMs: 300,
});
await registrar.register();
console.log(`${registrar.id} is registered at ${agent}`);

for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, leave);

// First out of the registry, then the port: nobody is sent to a server that does not listen any more.
async function leave() {
  leaving = true;
  console.log('draining');
  await registrar.close();
  server.close();
  server.closeIdleConnections();
  await once(server, 'close');
  console.log('gone');
}
