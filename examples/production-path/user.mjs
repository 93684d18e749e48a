// The service behind the API: registers itself as a Motan provider of its IDC's group and reads from Redis by name.
import { Redis } from 'ioredis';
import { createServer } from 'node:http';
import {
  consulSources,
  createMotanProviders,
  createMotanUrl,
  redisConnector,
} from '../../dist/motan/index.js';
import { IDCS, onStop, openResolver, registryOf, serviceNames } from './lib.mjs';

const [idc, setupText] = process.argv.slice(2);
const setup = JSON.parse(setupText);
const { ports } = setup;
const host = IDCS[idc];
const names = serviceNames(setup);

const resolver = openResolver(idc, setup);
// Every IDC reads the Redis of IDC a while that lives.
const redis = new Redis({
  Connector: redisConnector(resolver, `${names.rs}.a.${ports.redis}`, { avoidMs: 1000 }),
  maxRetriesPerRequest: null,
});
// What matters of a connection's end is that the next one comes, and that is the connector's work.
redis.on('error', () => undefined);

const server = createServer((_request, response) => {
  redis.get('idc').then(
    (where) =>
      response.setHeader('content-type', 'application/json').end(JSON.stringify({ user: idc, redis: where })),
    () => response.writeHead(503).end(),
  );
});
server.keepAliveTimeout = 60_000;
server.listen(ports.user, host);

const providers = createMotanProviders({
  http: consulSources({ addresses: [registryOf(idc, setup)] }).http(),
  ttlSeconds: 3,
  isOpen: true,
});
await providers.register(
  createMotanUrl('http', host, ports.user, 'com.example.User', {
    group: `${names.user}.${idc}`,
    nodeType: 'service',
    version: '1.0',
  }),
);
onStop(async () => {
  await providers.close();
  redis.disconnect();
  server.close();
  await resolver.close();
});
