import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createEmbeddedRegistry } from 'upsync';
import { balance } from './balance.js';
import { call } from './call.js';
import { compose } from './compose.js';
import { follow } from './follow.js';
import { names } from './names.js';
import { mistake, nginxLines } from './nginx-lines.js';
import { observe } from './observe.js';
import { registration } from './registration.js';
import { sync } from './sync.js';

function listen(server: Server): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
  });
}

// The dumps of an earlier run hold servers that are gone; a guard would rightly keep them for a while.
for (const dump of ['users.conf', 'users.dump.conf']) rmSync(dump, { force: true });
const [here, there] = await Promise.all([
  createEmbeddedRegistry({ listen: '127.0.0.1:0' }),
  createEmbeddedRegistry({ listen: '127.0.0.1:0' }),
]);
const registry = new URL(here.url).host;
const servers = [1, 2].map((number) =>
  createServer((_request, response) => response.end(`server ${number}`)),
);
const [one = 0, two = 0] = await Promise.all(servers.map(listen));
for (const port of [one, two])
  here.store.kv.put(`upstreams/users/127.0.0.1:${port}`, Buffer.from('{"weight":1}'));

const stopObserving = observe();
assert.deepEqual(new Set(await call(registry, 4)), new Set(['server 1', 'server 2']));
assert.equal(await compose([`127.0.0.1:${one}`]), 200);
assert.equal(await compose([]), 'NO_LIVE_SERVER');
assert.equal((await follow(registry, 'users.conf')).length, 2);
assert.deepEqual(await sync(registry, ['users']), new Map([['users', 2]]));
assert.deepEqual({ ...stopObserving(), lists: 0 }, { lists: 0, failures: [] });
assert.match(nginxLines(), /^server 10\.0\.0\.1:80 weight=5 max_fails=3 fail_timeout=30s slow_start=60s;\n/);
assert.match(mistake(), /BAD_DIRECTIVE line 12: .*upsync_type/);
assert.equal(balance(), 'aabacaa');

const elsewhere = await registration(there.url, two);
const before = await names(here.url, there.url, `users.a.${two}`);
assert.deepEqual(
  before.servers.map(({ idc, share }) => [idc, share]),
  [['b', 1]],
);
const registrar = await registration(here.url, two);
const after = await names(here.url, there.url, `users.a.${two}`);
assert.deepEqual(
  after.servers.map(({ idc, share, weight }) => [idc, share, weight]),
  [
    ['a', 1, 4],
    ['b', 0, 4],
  ],
);

await Promise.all([registrar.close(), elsewhere.close()]);
await Promise.all([here.close(), there.close()]);
for (const server of servers) {
  server.close();
  server.closeAllConnections();
}
console.log('all of it works');
