// An API service: registers itself in the pool that the VIP's nginx follows, and calls the service behind it by name.
import { Agent, createServer, request } from 'node:http';
import { Registrar } from '../../dist/discovery/index.js';
import { chooseServer, RecentFailures } from '../../dist/motan/index.js';
import { IDCS, onStop, openResolver, serviceNames } from './lib.mjs';

const [idc, setupText] = process.argv.slice(2);
const setup = JSON.parse(setupText);
const { ports } = setup;
const host = IDCS[idc];
const names = serviceNames(setup);

const resolver = openResolver(idc, setup);
// "user, wherever I am."
const NAME = `${names.user}.{idc}.${ports.user}`;
await resolver.ready(NAME);
const agent = new Agent({ keepAlive: true, maxSockets: 64 });
const failures = new RecentFailures(1000);

const server = createServer((_request, response) => {
  ask(3).then(
    (body) =>
      response.setHeader('content-type', 'application/json').end(JSON.stringify({ api: idc, ...body })),
    () => response.writeHead(503).end(),
  );
});
server.keepAliveTimeout = 60_000;
server.listen(ports.api, host);

/** Asks a server of the name, and another one when that fails. */
async function ask(tries) {
  const hasFailed = (address) => failures.has(address, performance.now());
  const target = chooseServer(resolver.resolve(NAME), 'reader', hasFailed, Math.random);
  if (target === undefined) throw new Error(`${NAME} has no server`);
  try {
    const body = await get(target);
    failures.delete(target.address);
    return body;
  } catch (error) {
    failures.add(target.address, performance.now());
    if (tries <= 1) throw error;
    return ask(tries - 1);
  }
}

function get({ host: hostname, port }) {
  return new Promise((resolve, reject) => {
    const outgoing = request({ hostname, port, path: '/', agent, timeout: 2000 }, (reply) => {
      let text = '';
      reply.setEncoding('utf8');
      reply.on('data', (chunk) => (text += chunk));
      reply.on('error', reject);
      reply.on('end', () =>
        reply.statusCode === 200
          ? resolve(JSON.parse(text))
          : reject(new Error(`status ${reply.statusCode}`)),
      );
    });
    outgoing.on('timeout', () => outgoing.destroy(new Error('no answer in time')));
    outgoing.on('error', reject);
    outgoing.end();
  });
}

const registrar = new Registrar({
  agent: setup.edge,
  name: names.api,
  address: host,
  port: ports.api,
  ttlMs: 3000,
});
await registrar.register();
onStop(async () => {
  await registrar.close();
  server.close();
  agent.destroy();
  await resolver.close();
});
