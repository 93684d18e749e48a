import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { createEmbeddedRegistry } from '../../src/discovery/embedded/registry.ts';
import { Box, isAlive, until } from '../helpers/upsync-nginx.ts';
import { freePort } from '../helpers/ports.ts';

await t.test('nginx serves on when the engine is killed, and follows the registry again', async (t) => {
  const box = await Box.open(t);
  const [first, second] = [await box.backend(), await box.backend()];
  await box.put(first.address);
  box.configure();
  const nginx = await box.start();
  await until(async () => (await box.list()).includes(first.address));
  const before = box.processes();
  process.kill(before.engine, 'SIGKILL');
  await until(() => nginx.output().includes('engine_died'));
  t.equal((await box.get('/')).text, first.address, 'nginx serves without the engine');
  await box.put(second.address);
  await until(async () => (await box.list()).includes(second.address));
  const after = box.processes();
  t.not(after.engine, before.engine, 'another engine took over');
  t.same({ ...after, engine: 0 }, { ...before, engine: 0 }, 'nginx noticed nothing');
});

await t.test('with the registry down nginx starts with the last good list', async (t) => {
  const box = await Box.open(t);
  const backend = await box.backend();
  const port = await freePort();
  writeFileSync(
    box.file('servers_test.conf'),
    `server ${backend.address} weight=7 max_fails=2 fail_timeout=10s;\nnonsense\n`,
  );
  box.configure({
    upstream: `upsync 127.0.0.1:${port}/v1/kv/upstreams/test/ upsync_type=consul upsync_interval=50ms;
    upsync_dump_path ${box.file('servers_test.conf')}; server 127.0.0.1:1;`,
  });
  const nginx = await box.start();
  t.equal((await box.get('/')).text, backend.address, 'the first request goes to the dumped server');
  t.match(await box.list(), 'weight=7');
  await until(() => nginx.output().includes('dump_entry_rejected'));

  const registry = await createEmbeddedRegistry({ listen: `127.0.0.1:${port}` });
  t.teardown(() => registry.close());
  const added = await box.backend();
  await fetch(`${registry.url}/v1/kv/upstreams/test/${added.address}`, { method: 'PUT' });
  await until(async () => (await box.list()).includes(added.address), 20_000);
  t.notMatch(await box.list(), backend.address, 'the registry is believed as soon as it answers');
});

await t.test('a list survives the registry, and an empty answer', async (t) => {
  const box = await Box.open(t);
  const backend = await box.backend();
  await box.put(backend.address);
  box.configure();
  await box.start();
  await until(async () => (await box.list()).includes(backend.address));
  const list = await box.list();
  await box.remove('?recurse');
  await delay(300);
  t.equal(await box.list(), list, 'an empty list is not believed');
  await box.registry.close();
  await delay(300);
  t.equal(await box.list(), list, 'nor does the end of the registry empty it');
  t.equal((await box.get('/')).text, backend.address);
});

await t.test('a worker that is killed comes back with the list', async (t) => {
  const box = await Box.open(t);
  const backend = await box.backend();
  await box.put(backend.address);
  box.configure();
  const nginx = await box.start();
  await until(async () => (await box.list()).includes(backend.address));
  const { workers } = box.processes();
  for (const worker of workers) process.kill(worker, 'SIGKILL');
  await until(() => box.processes().workers.filter((pid) => !workers.includes(pid)).length === 2);
  await until(async () => (await box.get('/')).text === backend.address);
  t.equal(nginx.child.exitCode, null, 'the supervisor runs on');
});

await t.test(
  'strong_dependency waits for the registry, with a bound, and says why it does not start',
  async (t) => {
    const box = await Box.open(t);
    const backend = await box.backend();
    const upstream = (port: number): string =>
      `upsync 127.0.0.1:${port}/v1/kv/upstreams/test/ upsync_type=consul strong_dependency=on;
    upsync_dump_path ${box.file('servers_test.conf')}; server 127.0.0.1:1;`;
    box.configure({ upstream: upstream(await freePort()) });
    const refused = await box.runAsync('nginx', ...box.args);
    t.equal(refused.status, 1);
    t.match(refused.output, `upstream "test" has strong_dependency=on and its registry gave no list`);
    t.match(refused.output, `in ${box.file('nginx.conf')}:7`);
    t.notOk(existsSync(box.file('nginx.pid')));

    await box.put(backend.address);
    box.configure({ upstream: upstream(box.registry.port) });
    const nginx = await box.start();
    t.equal(
      (await box.get('/')).text,
      backend.address,
      'the very first request goes to a server of the registry',
    );

    box.configure({ upstream: upstream(await freePort()) });
    process.kill(nginx.pid, 'SIGHUP');
    await until(() => nginx.output().includes('strong_dependency=on'), 15_000);
    t.equal((await box.get('/')).text, backend.address, 'at a reload the old configuration stays');
  },
);

await t.test('nginx outlives its supervisor, and the next one takes it over', async (t) => {
  const box = await Box.open(t);
  const [first, second, third] = [await box.backend(), await box.backend(), await box.backend()];
  await box.put(first.address);
  box.configure();
  const killed = await box.start();
  await until(async () => (await box.list()).includes(first.address));
  const before = box.processes();
  killed.child.kill('SIGKILL');
  await killed.exit;
  t.equal((await box.get('/')).text, first.address, 'nginx serves on');
  await box.put(second.address);
  await until(async () => (await box.list()).includes(second.address));
  t.pass('and its engine keeps it in step');

  const next = box.spawnMain(['nginx', ...box.args]);
  await until(() => next.output().includes('nginx_started'));
  t.match(next.output(), 'nginx_of_dead_supervisor_adopted');
  t.equal(Number(box.read('nginx.pid')), next.child.pid, 'the pid file names the new supervisor');
  t.equal(box.processes().master, before.master, 'the same nginx');
  await box.put(third.address);
  await until(async () => (await box.list()).includes(third.address));
  await until(() => !isAlive(before.engine));
  t.pass('one engine is left');
  next.child.kill('SIGQUIT');
  t.equal(await next.exit, 0);
  await until(() => !isAlive(before.master));
  t.same(readdirSync(box.file('run')), []);
});

await t.test('when the master is killed the supervisor says so, ends the workers and itself', async (t) => {
  const box = await Box.open(t);
  box.configure();
  const nginx = await box.start();
  const { master, workers, engine } = box.processes();
  process.kill(master, 'SIGKILL');
  t.equal(await nginx.exit, 128 + 9);
  t.match(nginx.output(), 'nginx_ended_by_itself');
  await until(() => [...workers, engine].every((pid) => !isAlive(pid)));
  t.notOk(existsSync(box.file('nginx.pid')));
  const again = await box.start();
  t.equal((await box.get('/upstream_list')).status, 200, 'it can be started again at once');
  t.ok(again.pid > 0);
});
