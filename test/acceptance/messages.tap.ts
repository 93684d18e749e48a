import { writeFileSync } from 'node:fs';
import t from 'tap';
import { Box } from '../helpers/upsync-nginx.ts';

await t.test('nginx -t and -T speak of the files the user wrote', async (t) => {
  const box = await Box.open(t);
  box.configure();
  const where = ['-c', box.file('nginx.conf'), '-p', box.folder];

  const good = box.run('nginx', '-t', ...where);
  t.equal(good.status, 0);
  t.match(good.stderr, `nginx: the configuration file ${box.file('nginx.conf')} syntax is ok\n`);
  t.match(good.stderr, `nginx: configuration file ${box.file('nginx.conf')} test is successful\n`);
  t.equal(box.run('nginx', '-tq', ...where).stderr, '', '-q is quiet');

  const dumped = box.run('nginx', '-T', ...where);
  t.equal(dumped.status, 0);
  t.equal(
    dumped.stdout,
    `# configuration file ${box.file('nginx.conf')}:\n${box.read('nginx.conf')}\n`,
    '-T prints the files as the user wrote them',
  );

  writeFileSync(box.file('inner.conf'), 'server { listen 127.0.0.1:1;\n  no_such_thing; }\n');
  box.configure({ http: 'include inner.conf;' });
  const nginxError = box.run('nginx', '-t', ...where);
  t.equal(nginxError.status, 1);
  t.match(nginxError.stderr, `unknown directive "no_such_thing" in ${box.file('inner.conf')}:2`);
  t.match(nginxError.stderr, `nginx: configuration file ${box.file('nginx.conf')} test failed`);
  t.notMatch(nginxError.stderr, '/conf.1/', 'no path of ours is shown');

  box.configure({ upstream: 'upsync 127.0.0.1:8500/x upsync_typ=consul;\n server 127.0.0.1:1;' });
  const ours = box.run('nginx', '-t', ...where);
  t.equal(ours.status, 1);
  t.match(ours.stderr, new RegExp(`^nginx: \\[emerg\\] .*upsync_typ.* in ${box.file('nginx.conf')}:7$`, 'm'));
  t.match(ours.stderr, 'test failed');
});

await t.test('a start that fails says why and ends with 1', async (t) => {
  const box = await Box.open(t);
  box.configure({ http: 'no_such_thing;' });
  const bad = await box.runAsync('nginx', ...box.args);
  t.equal(bad.status, 1);
  t.match(bad.output, `unknown directive "no_such_thing" in ${box.file('nginx.conf')}:11`);

  const missing = box.run('nginx', '-c', '/no/such/nginx.conf');
  t.equal(missing.status, 1);
  t.match(
    missing.stderr,
    'nginx: [emerg] open() "/no/such/nginx.conf" failed (2: No such file or directory)',
  );
});

await t.test('a port in use is said in the words of nginx, and nothing stays behind', async (t) => {
  const box = await Box.open(t);
  const taken = await box.backend();
  box.proxyPort = taken.port;
  box.configure();
  const began = box.spawnMain(['nginx', ...box.args]);
  t.equal(await began.exit, 1);
  t.match(began.output(), `bind() to 127.0.0.1:${taken.port} failed (98: Address already in use)`);
  t.equal(box.read('nginx.pid'), '');
});

await t.test('a second start of the same configuration is refused', async (t) => {
  const box = await Box.open(t);
  box.configure();
  const nginx = await box.start();
  const second = await box.runAsync('nginx', ...box.args);
  t.equal(second.status, 1);
  t.match(second.output, `is run by upsync nginx already (pid ${nginx.pid})`);
  t.equal((await box.get('/upstream_list')).status, 200, 'the first one serves on');
});

await t.test('versions, help and mistakes are as with nginx', async (t) => {
  const box = await Box.open(t);
  const version = box.run('nginx', '-v');
  t.match(version.stderr, /^nginx version: \S+\n$/);
  t.match(box.run('nginx', '-V').stderr, 'configure arguments:');
  t.match(box.run('nginx', '-h').stderr, 'Usage: upsync nginx');
  const help = box.run('nginx', '--help');
  t.match(help.stdout, 'Example: upsync nginx');
  const wrong = box.run('nginx', '-z');
  t.equal(wrong.status, 1);
  t.equal(wrong.stderr, 'nginx: invalid option: "z"\n');
  const found = box.run('nginx', '-v', '-c', 'x');
  t.equal(found.status, 0);
});

await t.test('-s says what it cannot signal', async (t) => {
  const box = await Box.open(t);
  box.configure();
  const quit = ['nginx', '-s', 'quit', ...box.args];
  const none = box.run(...quit);
  t.equal(none.status, 1);
  t.match(none.stderr, `open() "${box.file('nginx.pid')}" failed (2: No such file or directory)`);
  writeFileSync(box.file('nginx.pid'), '4194305\n');
  t.match(box.run(...quit).stderr, 'kill(4194305, 3) failed (3: No such process)');
  writeFileSync(box.file('nginx.pid'), 'x\n');
  t.match(box.run(...quit).stderr, `invalid PID number "x" in "${box.file('nginx.pid')}"`);
});
