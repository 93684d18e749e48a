import { existsSync, readFileSync, renameSync } from 'node:fs';
import t from 'tap';
import { Box, isAlive, until } from '../helpers/upsync-nginx.ts';

const pidOf = (box: Box, name = 'nginx.pid'): number => Number(box.read(name));

await t.test('without "daemon off" it detaches once nginx listens', async (t) => {
  const box = await Box.open(t);
  const backend = await box.backend();
  await box.put(backend.address);
  delete box.env.UPSYNC_LOG_FORMAT;
  box.configure({ main: '' });
  // Read to the end of file: nothing that stays may hold our output open.
  const started = await box.runAsync('nginx', ...box.args);
  t.equal(started.status, 0, started.output);
  t.equal(started.output, '', 'it is silent');
  const pid = pidOf(box);
  t.ok(isAlive(pid));
  t.equal((await box.get('/upstream_list')).status, 200, 'nginx listens when the first process ends');
  await until(async () => (await box.list()).includes(backend.address));
  t.match(box.read('error.log'), 'upsync supervisor: nginx_started', 'events are in the error log of nginx');

  await t.test('-s reload', async (t) => {
    box.configure({ main: '', location: 'location /new { return 200 new; }' });
    t.equal(box.run('nginx', '-s', 'reload', ...box.args).status, 0);
    await until(async () => (await box.get('/new')).text === 'new');
    t.equal(pidOf(box), pid, 'the pid stays');

    for (const http of ['no_such_thing;', 'upstream b { upsync 127.0.0.1:1/x upsync_type=no; }']) {
      box.configure({ main: '', http });
      const refused = box.run('nginx', '-s', 'reload', ...box.args);
      t.equal(refused.status, 1, 'a broken configuration is refused at once, as by nginx');
      t.match(refused.stderr, `[emerg] `);
      t.match(refused.stderr, `in ${box.file('nginx.conf')}:11`);
    }
    t.notMatch(box.read('error.log'), /configuration_rejected|reload_failed/, 'nobody was signalled');
  });

  await t.test('-s reopen', async (t) => {
    renameSync(box.file('error.log'), box.file('error.log.1'));
    t.equal(box.run('nginx', '-s', 'reopen', ...box.args).status, 0);
    await until(() => existsSync(box.file('error.log')));
    await until(async () => (await box.list()).includes(backend.address));
    box.configure({ main: '', location: 'location /newer { return 200 newer; }' });
    process.kill(pid, 'SIGHUP');
    await until(() => box.read('error.log').includes('configuration_reloaded'));
    t.pass('our own lines go to the new file');
  });

  await t.test('-s stop', async (t) => {
    const { master, workers, engine } = box.processes();
    t.equal(box.run('nginx', '-s', 'stop', ...box.args).status, 0);
    await until(() => [pid, master, engine, ...workers].every((one) => !isAlive(one)));
    await until(() => !existsSync(box.file('nginx.pid')));
    t.pass('nothing is left');
  });
});

await t.test('a daemon that cannot start says so on the terminal and ends with 1', async (t) => {
  const box = await Box.open(t);
  box.configure({ main: '', http: 'no_such_thing;' });
  const started = await box.runAsync('nginx', ...box.args);
  t.equal(started.status, 1);
  t.match(started.output, `unknown directive "no_such_thing" in ${box.file('nginx.conf')}:11`);
});

await t.test('USR2, WINCH and QUIT exchange the program as with nginx', async (t) => {
  const box = await Box.open(t);
  const backend = await box.backend();
  await box.put(backend.address);
  box.configure({ main: '' });
  t.equal((await box.runAsync('nginx', ...box.args)).status, 0);
  await until(async () => (await box.list()).includes(backend.address));
  const pid = pidOf(box);
  const { master: old } = box.processes();
  // The new program begins with the last good list on disk, which follows the one in force a moment later.
  await until(() => box.read('servers_test.conf').includes(backend.address));

  process.kill(pid, 'SIGUSR2');
  await until(() => existsSync(box.file('nginx.pid.oldbin')));
  t.equal(pidOf(box, 'nginx.pid.oldbin'), old, 'the old master can be signalled by its own pid file');
  t.equal(pidOf(box), pid);
  t.not(box.processes().master, old, 'a new master runs');
  process.kill(old, 'SIGWINCH');
  await until(() => readFileSync(`/proc/${old}/task/${old}/children`, 'utf8').trim().split(' ').length <= 1);
  process.kill(old, 'SIGQUIT');
  await until(() => !isAlive(old) && !existsSync(box.file('nginx.pid.oldbin')));
  t.equal((await box.get('/')).text, backend.address, 'the new one serves');

  const added = await box.backend();
  await box.put(added.address);
  await until(async () => (await box.list()).includes(added.address));
  t.pass('and follows the registry');

  process.kill(pid, 'SIGQUIT');
  await until(() => !isAlive(pid) && !existsSync(box.file('nginx.pid')));
  t.throws(() => box.processes(), 'nothing is left');
});
