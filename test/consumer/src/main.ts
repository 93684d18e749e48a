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

/** The port the server got. */
function listen(server: Server): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
  });
}

// The dumps of an earlier run hold servers that are gone; a guard would rightly keep them for a while.
for (const dump of ['users.conf', 'users.dump.conf']) rmSync(dump, { force: true });

// Two data centres with a registry each, and two servers of the upstream "users" in the first.
const [here, there] = await Promise.all([
  createEmbeddedRegistry({ listen: '127.0.0.1:0' }),
  createEmbeddedRegistry({ listen: '127.0.0.1:0' }),
]);
const first = createServer((_request, response) => response.end('server 1'));
const second = createServer((_request, response) => response.end('server 2'));
const [firstPort, secondPort] = await Promise.all([listen(first), listen(second)]);
for (const port of [firstPort, secondPort])
  here.store.kv.put(`upstreams/users/127.0.0.1:${port}`, Buffer.from('{"weight":1}'));
const registry = new URL(here.url).host;

// Requests to servers that the registry knows, and to a list of one's own.
const stopObserving = observe();
assert.deepEqual(new Set(await call(registry, 4)), new Set(['server 1', 'server 2']));
assert.equal(await compose([`127.0.0.1:${firstPort}`]), 200);
assert.equal(await compose([]), 'NO_LIVE_SERVER');

// Lists without requests: one, and many at once.
assert.equal((await follow(registry, 'users.conf')).length, 2);
assert.deepEqual(await sync(registry, ['users']), new Map([['users', 2]]));
const observed = stopObserving();
assert.deepEqual(observed.failures, []);
assert.deepEqual(observed.asked, new Set([`127.0.0.1:${firstPort}`, `127.0.0.1:${secondPort}`]));

// What needs no registry at all.
assert.match(nginxLines(), /^server 10\.0\.0\.1:80 weight=5 max_fails=3 fail_timeout=30s slow_start=60s;\n/);
assert.match(mistake(), /BAD_DIRECTIVE line 12: .*upsync_type/);
assert.equal(balance(), 'aabacaa');

// A name is looked for in its own data centre first, so it moves there once an instance registered.
const name = `users.a.${secondPort}`;
const instanceThere = await registration(there.url, secondPort);
const farAway = await names(here.url, there.url, name);
assert.deepEqual(
  farAway.servers.map(({ idc, share }) => [idc, share]),
  [['b', 1]],
);
const instanceHere = await registration(here.url, secondPort);
const nearBy = await names(here.url, there.url, name);
assert.deepEqual(
  nearBy.servers.map(({ idc, share, weight }) => [idc, share, weight]),
  [
    ['a', 1, 4],
    ['b', 0, 4],
  ],
);

await Promise.all([instanceHere.close(), instanceThere.close()]);
await Promise.all([here.close(), there.close()]);
for (const server of [first, second]) {
  server.close();
  server.closeAllConnections();
}
console.log('all of it works');
