import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import t from 'tap';
import type { Backend } from '../helpers/backend.ts';
import { FakeConsul } from '../helpers/fake-consul.ts';
import { Box, until } from '../helpers/upsync-nginx.ts';
import { freePort } from '../helpers/ports.ts';

// Whatever happens to the registry or to the disk, nginx serves the last good list, and follows again when it heals.

const GOOD = JSON.stringify([{ Key: 'upstreams/test/127.0.0.1:9', Value: null, ModifyIndex: 1 }]);

/** Answers a registry should not give. The index is always a new one: none of them may be taken for the state of things. */
const FAULTS: readonly (readonly [
  what: string,
  answer: (response: ServerResponse, index: string) => void,
])[] = [
  ['500', (response) => void response.writeHead(500).end('rpc error: No cluster leader')],
  ['403', (response) => void response.writeHead(403).end('Permission denied')],
  ['429', (response) => void response.writeHead(429).end('rate limit exceeded')],
  ['a redirect', (response) => void response.writeHead(301, { location: 'http://127.0.0.1:9/' }).end()],
  ['a page', (response, index) => void response.setHeader('X-Consul-Index', index).end('<html>login</html>')],
  [
    'JSON of another kind',
    (response, index) => void response.setHeader('X-Consul-Index', index).end('{"a":1}'),
  ],
  [
    'entries that are none',
    (response, index) => void response.setHeader('X-Consul-Index', index).end('[1,null,{}]'),
  ],
  ['a body without a byte', (response, index) => void response.setHeader('X-Consul-Index', index).end()],
  ['an empty list', (response, index) => void response.setHeader('X-Consul-Index', index).end('[]')],
  [
    'half a list, and then nothing',
    (response, index) => {
      response.writeHead(200, { 'X-Consul-Index': index, 'Content-Length': GOOD.length });
      response.write(GOOD.slice(0, GOOD.length / 2), () => response.socket?.destroy());
    },
  ],
  ['a connection that is reset', (response) => void response.socket?.resetAndDestroy()],
  ['bytes that are no HTTP', (response) => void response.socket?.end('\0\x01\x02 no HTTP\r\n\r\n')],
];

await t.test('no answer of a registry harms the list, and a good one is followed again', async (t) => {
  const box = await Box.open(t);
  const consul = await FakeConsul.start();
  t.teardown(() => consul.stop());
  const backends = [await box.backend(), await box.backend()] as const;
  const only = (backend: Backend): void =>
    consul.put({
      [`upstreams/test/${backends[0].address}`]: backend === backends[0] ? '' : undefined,
      [`upstreams/test/${backends[1].address}`]: backend === backends[1] ? '' : undefined,
    });
  only(backends[0]);
  box.configure({
    upstream: `upsync ${new URL(consul.url).host}/v1/kv/upstreams/test/ upsync_type=consul upsync_interval=20ms;
    upsync_dump_path ${box.file('servers_test.conf')}; server 127.0.0.1:1;`,
  });
  await box.start();
  await until(async () => (await box.list()).includes(backends[0].address));
  const before = box.processes();

  for (const [turn, [what, answer]] of FAULTS.entries()) {
    const [now, next] = [backends[turn % 2]!, backends[(turn + 1) % 2]!];
    const list = await box.list();
    let given = 0;
    consul.fault = (_request, response) => {
      given++;
      answer(response, String(consul.index + 1000n + BigInt(given)));
      return true;
    };
    consul.dropConnections();
    await until(() => given >= 2, 20_000);
    t.equal(await box.list(), list, `${what}: the list stays`);
    t.equal((await box.get('/')).text, now.address, `${what}: nginx serves`);
    consul.fault = undefined;
    only(next);
    await until(async () => (await box.list()).includes(next.address), 30_000);
    t.equal((await box.get('/')).text, next.address, `${what}: then the registry is followed again`);
  }

  const last = backends[(FAULTS.length + 1) % 2]!;
  const [gone] = backends.filter((backend) => backend !== last);
  consul.kv.delete(`upstreams/test/${gone!.address}`);
  consul.kv.set(`upstreams/test/${last.address}`, '{"weight":7}');
  consul.bump(3n);
  await until(async () => (await box.list()).includes(`${last.address} weight=7`), 20_000);
  t.pass('an index that goes backwards is believed, with what comes with it');
  consul.put({ [`upstreams/test/${last.address}`]: '{"weight":8}' });
  await until(async () => (await box.list()).includes('weight=8'), 20_000);
  t.pass('and followed from there');
  t.same(box.processes(), before, 'no process was replaced meanwhile');
});

await t.test('a registry that is killed and comes back is followed again', async (t) => {
  const box = await Box.open(t);
  const [first, second] = [await box.backend(), await box.backend()];
  const port = await freePort();
  const url = `http://127.0.0.1:${port}/v1/kv/upstreams/test`;
  const startRegistry = async (): Promise<ReturnType<Box['spawnMain']>> => {
    const data = box.file('registry.json');
    const started = box.spawnMain(['registry', '--listen', `127.0.0.1:${port}`, '--data', data]);
    await until(() => started.output().includes('registry_listening'));
    return started;
  };
  const registry = await startRegistry();
  await fetch(`${url}/${first.address}`, { method: 'PUT', body: '{"weight":2}' });
  box.configure({
    upstream: `upsync 127.0.0.1:${port}/v1/kv/upstreams/test/ upsync_type=consul upsync_interval=50ms;
    upsync_dump_path ${box.file('servers_test.conf')}; server 127.0.0.1:1;`,
  });
  const nginx = await box.start();
  await until(async () => (await box.list()).includes(first.address));
  await until(() => box.read('registry.json').includes(first.address));
  const [list, before] = [await box.list(), box.processes()];
  registry.child.kill('SIGKILL');
  await until(() => nginx.output().includes('fetch_failed'));
  t.equal(await box.list(), list);
  t.equal((await box.get('/')).text, first.address, 'nginx serves without the registry');

  await startRegistry();
  await fetch(`${url}/${second.address}`, { method: 'PUT' });
  await until(async () => (await box.list()).includes(second.address), 30_000);
  t.match(await box.list(), `${first.address} weight=2`, 'what the registry had kept is there as well');
  t.match(nginx.output(), 'registry_answers_again');
  t.same(box.processes(), before, 'no process was replaced meanwhile');
});

await t.test('a full disk costs the dump its newest list, and nothing else', async (t) => {
  const box = await Box.open(t);
  const disk = box.file('disk');
  mkdirSync(disk);
  if (!mountSmallDisk(disk)) {
    t.comment('this user may not mount a small disk, so nothing can be filled up');
    return;
  }
  t.teardown(() => spawnSync('umount', [disk]));
  const [first, second] = [await box.backend(), await box.backend()];
  await box.put(first.address);
  box.configure({
    upstream: `upsync 127.0.0.1:${box.registry.port}/v1/kv/upstreams/test/ upsync_type=consul upsync_interval=50ms;
    upsync_dump_path ${disk}/servers_test.conf; server 127.0.0.1:1;`,
  });
  const nginx = await box.start();
  const dump = (): string => box.read('disk/servers_test.conf');
  await until(() => dump().includes(first.address));
  const kept = dump();
  fillUp(`${disk}/filler`);

  await box.put(second.address);
  await box.remove(first.address);
  await until(async () => (await box.get('/')).text === second.address);
  await until(() => nginx.output().includes('the disk is full'));
  t.match(nginx.output(), 'apply_failed', 'the failure is told');
  t.equal(dump(), kept, 'the old dump is whole');
  t.match((await box.runAsync('show')).output, 'the disk is full', 'and shown');

  rmSync(`${disk}/filler`);
  await until(() => dump().includes(second.address), 60_000);
  t.equal(dump(), `server ${second.address} weight=1 max_fails=2 fail_timeout=10s;\n`, 'then it is written');
});

function mountSmallDisk(folder: string): boolean {
  const options = ['-t', 'tmpfs', '-o', 'size=64k,mode=755', 'tmpfs', folder];
  return spawnSync('mount', options).status === 0;
}

// A tmpfs keeps nothing back: once a write fails not even an empty file's first byte has room.
function fillUp(file: string): void {
  for (let block = 0; ; block++) {
    try {
      writeFileSync(file, 'x'.repeat(4096), { flag: 'a' });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOSPC') return;
      throw error;
    }
    if (block > 100) throw new Error(`${file} cannot be filled up`);
  }
}
