import { existsSync, readdirSync } from 'node:fs';
import t from 'tap';
import { Box, isAlive, until } from '../helpers/upsync-nginx.ts';

await t.test('nginx listens, follows the registry without a reload, and leaves nothing behind', async (t) => {
  const box = await Box.open(t);
  const [first, second] = [await box.backend(), await box.backend()];
  await box.put(first.address);
  box.configure();
  const nginx = await box.start();
  t.comment(`the pid file was there after ${Math.round(nginx.startMs)} ms`);
  t.equal(nginx.pid, nginx.child.pid, 'the pid file names the process that was started');
  t.ok((await box.get('/upstream_list')).status === 200, 'nginx listens as soon as the pid file is there');

  await until(async () => (await box.list()).includes(first.address));
  t.equal((await box.get('/')).text, first.address, 'requests go to the server of the registry');
  const before = box.processes();

  await box.put(second.address, { weight: 3 });
  await until(async () => (await box.list()).includes('weight=3'));
  t.match(await box.list(), 'Upstream name: test; Backend server count: 2\n');
  await box.remove(first.address);
  await until(async () => !(await box.list()).includes(first.address));
  t.equal((await box.get('/')).text, second.address);
  t.same(box.processes(), before, 'no process was replaced');
  // Written at most four times a second: both changes may come into it one after the other.
  await until(() => box.read('servers_test.conf').startsWith(`server ${second.address} weight=3`));
  await until(() => box.read('servers_test.conf').trim().split('\n').length === 1);
  t.pass('the dump follows');

  process.kill(nginx.pid, 'SIGQUIT');
  t.equal(await nginx.exit, 0, 'QUIT ends it with code 0');
  for (const pid of [before.master, before.engine, ...before.workers])
    t.notOk(isAlive(pid), `${pid} is gone`);
  t.notOk(existsSync(box.file('nginx.pid')), 'the pid file is gone');
  t.same(readdirSync(box.file('run')), [], 'the runtime directory is empty');
});

await t.test('TERM and INT end it at once', async (t) => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    const box = await Box.open(t);
    box.configure();
    const nginx = await box.start();
    const { master, engine } = box.processes();
    process.kill(nginx.pid, signal);
    t.equal(await nginx.exit, 0, signal);
    t.notOk(isAlive(master) || isAlive(engine), 'nginx and the engine are gone');
  }
});

await t.test('HUP takes a good configuration and keeps the old one when the new is bad', async (t) => {
  const box = await Box.open(t);
  const backend = await box.backend();
  await box.put(backend.address);
  box.configure();
  const nginx = await box.start();
  await until(async () => (await box.list()).includes(backend.address));
  const { workers } = box.processes();

  box.configure({ http: 'no_such_directive on;' });
  process.kill(nginx.pid, 'SIGHUP');
  await until(() => nginx.output().includes('configuration_rejected'));
  t.match(nginx.output(), `${box.file('nginx.conf')}:11`, "the message names the user's own file and line");
  t.equal((await box.get('/')).text, backend.address, 'the old configuration serves on');
  t.same(box.processes().workers, workers, 'no worker was replaced');

  box.configure({
    upstream: 'upsync 127.0.0.1:1/x upsync_type=consul upsync_tiemout=1s; server 127.0.0.1:1;',
  });
  process.kill(nginx.pid, 'SIGHUP');
  await until(() => nginx.output().includes('upsync_tiemout'));
  t.equal(
    (await box.get('/')).text,
    backend.address,
    'an error in a directive of ours changes nothing either',
  );

  box.configure({ location: 'location /new { return 200 new; }' });
  process.kill(nginx.pid, 'SIGHUP');
  await until(async () => (await box.get('/new')).text === 'new');
  t.equal((await box.get('/')).text, backend.address, 'the list survives the reload');
  await until(() => nginx.output().includes('configuration_reloaded'));

  const added = await box.backend();
  await box.put(added.address);
  await until(async () => (await box.list()).includes(added.address));
  t.pass('the registry is followed after the reload');
});

await t.test('HUP adds an upstream, which is followed at once, and removes one', async (t) => {
  const box = await Box.open(t);
  box.configure();
  const nginx = await box.start();
  await box.put('127.0.0.1:7001', '', 'more');
  const more = `upstream more {
    upsync 127.0.0.1:${box.registry.port}/v1/kv/upstreams/more/ upsync_type=consul;
    upsync_dump_path ${box.file('servers_more.conf')};
    server 127.0.0.1:2;
  }`;
  box.configure({ http: more });
  process.kill(nginx.pid, 'SIGHUP');
  await until(async () => (await box.list('more')).includes('127.0.0.1:7001'));
  box.configure();
  process.kill(nginx.pid, 'SIGHUP');
  await until(async () => (await box.list('more')).includes('does not exist'));
  t.pass('the list came and went with its upstream');
});

await t.test('what the http block says for all servers does not keep lists from arriving', async (t) => {
  const box = await Box.open(t);
  box.configure({
    http: `limit_req_zone $binary_remote_addr zone=one:1m rate=1r/m; limit_req zone=one;
      limit_conn_zone $server_name zone=two:1m; limit_conn two 1; limit_rate 20;
      auth_request /denied; mirror /denied; post_action /denied; satisfy any; deny all;
      auth_basic closed; auth_basic_user_file ${box.file('nobody')};
      sub_filter server sorry; sub_filter_types *; ssi on; ssi_types *;
      add_before_body /denied; addition_types *; error_page 404 403 500 =200 /denied;
      rewrite_by_lua_block { return ngx.exit(403) } header_filter_by_lua_block { ngx.status = 500 }
      server_rewrite_by_lua_block { if ngx.var.server_name ~= "" then return ngx.exit(403) end }`,
    location: 'location = /denied { return 403; }',
  });
  const nginx = await box.start();
  for (const port of [7001, 7002, 7003]) {
    await box.put(`127.0.0.1:${port}`);
    await until(() => box.read('servers_test.conf').includes(`:${port} `));
  }
  await until(() => box.run('show', 'test').stdout.includes('127.0.0.1:7003'));
  t.notMatch(nginx.output(), /apply_failed|target_/, 'the workers took each list at once');
  t.notMatch(box.read('error.log'), 'limiting', 'the control server is not limited');
});
