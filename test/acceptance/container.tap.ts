import { spawn, spawnSync } from 'node:child_process';
import { closeSync, existsSync, openSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { Box, until } from '../helpers/upsync-nginx.ts';

// What a container does to us: logs that are links to the standard streams, and the place of process 1.

const NGINX = path.resolve(import.meta.dirname, '../../dist/sidecar/nginx.js');

await t.test('logs that lead to the standard streams arrive there, for as long as nginx runs', async (t) => {
  const box = await Box.open(t);
  symlinkSync('/dev/stderr', box.file('linked-error.log'));
  symlinkSync('/dev/stdout', box.file('linked-access.log'));
  box.configure({
    location: `location /missing { root /nowhere; access_log ${box.file('linked-access.log')}; }`,
  });
  const globals = `pid ${box.file('nginx.pid')}; error_log ${box.file('linked-error.log')} info;`;
  const args = ['-c', box.file('nginx.conf'), '-p', box.folder, '-g', globals];
  // Files and not pipes of Node, which are sockets that nobody can open by name.
  const [out, error] = ['out', 'error'].map((name) => openSync(box.file(name), 'a')) as [number, number];
  const nginx = spawn(process.execPath, [NGINX, ...args], { env: box.env, stdio: ['ignore', out, error] });
  t.teardown(() => nginx.kill('SIGTERM'));
  const ended = new Promise((resolve) => nginx.once('exit', resolve));
  for (const descriptor of [out, error]) closeSync(descriptor);
  await until(() => existsSync(box.file('nginx.pid')));
  t.equal((await box.get('/missing')).status, 404);
  await until(() => box.read('out').includes('"GET /missing HTTP/1.1" 404'));
  await until(() => /open\(\) ".*\/missing" failed/.test(box.read('error')));
  t.pass('the access log and the error log both arrive');
  nginx.kill('SIGQUIT');
  t.equal(await ended, 0);
  t.match(box.read('error'), 'gracefully shutting down', "nginx's last words arrive as well");
});

await t.test('as process 1 it takes the signals, reaps what it leaves, and ends in order', async (t) => {
  const box = await Box.open(t);
  const space = ['--pid', '--fork', '--mount-proc', '--kill-child'];
  if (spawnSync('unshare', [...space, 'true']).status !== 0) {
    t.comment('this user may not make a PID namespace, so nothing can be process 1');
    return;
  }
  const [first, second] = [await box.backend(), await box.backend()];
  await box.put(first.address);
  box.configure();
  const outside = spawn('unshare', [...space, process.execPath, NGINX, ...box.args], {
    env: box.env,
    stdio: 'ignore',
  });
  t.teardown(() => outside.kill('SIGKILL'));
  const ended = new Promise((resolve) => outside.once('exit', resolve));
  await until(() => existsSync(box.file('nginx.pid')));
  t.equal(box.read('nginx.pid').trim(), '1', 'the pid file names process 1');
  await until(async () => (await box.list()).includes(first.address));
  await box.put(second.address);
  await until(async () => (await box.list()).includes(second.address));

  const children = spawnSync('ps', ['-o', 'pid=', '--ppid', String(outside.pid)], {
    encoding: 'utf8',
  }).stdout;
  const inside = Number(children.trim());
  t.ok(inside > 1);
  writeFileSync(box.file('nginx.conf'), box.read('nginx.conf').replace('/upstream_list', '/lists'));
  process.kill(inside, 'SIGHUP');
  await until(async () => (await box.get('/lists?test')).text.includes(second.address));
  process.kill(inside, 'SIGQUIT');
  t.equal(await ended, 0);
  t.notOk(existsSync(box.file('nginx.pid')));
  t.same(readdirSync(box.file('run')), [], 'nothing is left');
});
