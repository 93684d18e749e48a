import { spawn } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import t from 'tap';
import { findNginx } from '../../src/sidecar/nginx-binary.ts';
import { Box, isAlive, until } from '../helpers/upsync-nginx.ts';
import { freePort } from '../helpers/ports.ts';

await t.test('show tells the lists and what every worker runs', async (t) => {
  const box = await Box.open(t);
  const nobody = await box.runAsync('show');
  t.equal(nobody.status, 1);
  t.match(nobody.output, /^upsync: no upsync runs here/);

  await box.put('127.0.0.1:7001', { weight: 5 });
  box.configure();
  await box.start();
  await until(async () => (await box.list()).includes('127.0.0.1:7001'));
  const { workers } = box.processes();
  let text = '';
  await until(async () => {
    text = (await box.runAsync('show')).output;
    return workers.every((pid) => new RegExp(`${pid} runs \\d+`).test(text));
  });
  t.match(text, 'test: 1 server, version 2, from registry consul http://127.0.0.1:');
  t.match(text, '    server 127.0.0.1:7001 weight=5 max_fails=2 fail_timeout=10s;');

  const json = await box.runAsync('show', 'test', '--json');
  const [engine] = JSON.parse(json.output) as [{ upstreams: { name: string; servers: object[] }[] }];
  t.match(engine.upstreams, [{ name: 'test', servers: [{ address: '127.0.0.1:7001', weight: 5 }] }]);

  const unknown = await box.runAsync('show', 'tset');
  t.equal(unknown.status, 1);
  t.equal(unknown.output, 'upsync: no upstream "tset" is kept in step here; there is test\n');
});

await t.test('check has a verdict and a remedy per line', async (t) => {
  const box = await Box.open(t);
  await box.put('127.0.0.1:7001');
  box.configure();
  const where = ['-c', box.file('nginx.conf'), '-p', box.folder];
  const good = await box.runAsync('check', ...where);
  t.equal(good.status, 0, good.output);
  for (const what of [
    'nginx',
    'Lua module',
    'runtime directory',
    'configuration',
    'nginx -t',
    'upstream test',
  ])
    t.match(good.output, new RegExp(`^✔ ${what} `, 'm'), what);
  t.match(good.output, /: 1 server in \d+ ms/);

  box.configure({
    upstream: `upsync 127.0.0.1:${await freePort()}/v1/kv/x/ upsync_type=consul;
      upsync_dump_path /no/such/folder/x.conf; server 127.0.0.1:1;`,
  });
  const bad = await box.runAsync('check', ...where);
  t.equal(bad.status, 1);
  t.match(bad.output, /^✘ upstream test .*\n +→ is the registry up/m);
  t.match(
    bad.output,
    /^✘ dump of test .*the folder \/no\/such\/folder does not exist\n +→ make \/no\/such\/folder a folder/m,
  );

  box.configure({ upstream: 'upsync 127.0.0.1:1/x; server 127.0.0.1:1;' });
  const wrong = await box.runAsync('check', ...where);
  t.equal(wrong.status, 1);
  t.match(wrong.output, new RegExp(`^✘ configuration .*upsync_type.* in ${box.file('nginx.conf')}:7$`, 'm'));

  const missing = await box.runAsync('check', '-c', box.file('none.conf'));
  t.equal(missing.status, 1);
  t.match(missing.output, /^✘ configuration .*none\.conf.*\n +→ name the configuration with -c/m);
});

await t.test('render prints the translation, or writes it', async (t) => {
  const box = await Box.open(t);
  box.configure();
  const where = ['-c', box.file('nginx.conf'), '-p', box.folder];
  const printed = box.run('render', ...where);
  t.equal(printed.status, 0, printed.stderr);
  t.match(printed.stdout, `# configuration file ${box.file('nginx.conf')}:\n`);
  t.match(printed.stdout, 'balancer_by_lua_block');
  t.notMatch(printed.stdout, 'upsync_type');
  const written = box.run('render', ...where, '--output', box.file('out'));
  t.equal(written.stdout.trim(), box.file(`out${box.file('nginx.conf')}`));
  t.ok(existsSync(written.stdout.trim()));
});

await t.test('registry speaks to Consul clients, and ends in order', async (t) => {
  const box = await Box.open(t);
  const port = await freePort();
  const data = box.file('registry.json');
  const registry = box.spawnMain(['registry', '--listen', `127.0.0.1:${port}`, '--data', data]);
  await until(() => registry.output().includes('registry listens on'));
  const url = `http://127.0.0.1:${port}/v1/kv/a`;
  t.equal((await (await fetch(url, { method: 'PUT', body: 'x' })).text()).trim(), 'true');
  t.equal(await (await fetch(`${url}?raw`)).text(), 'x');

  const second = box.run('registry', '--listen', `127.0.0.1:${port}`);
  t.equal(second.status, 1);
  t.match(second.stderr, /^upsync: .*another program has that port.*\n$/, 'one clear sentence');
  registry.child.kill('SIGTERM');
  t.equal(await registry.exit, 0);
  t.ok(existsSync(data), 'everything is kept');
});

await t.test('run keeps lists in step beside an nginx that somebody else started', async (t) => {
  const box = await Box.open(t);
  const backend = await box.backend();
  await box.put(backend.address);
  box.configure({ main: `daemon off; pid ${box.file('nginx.pid')}; error_log ${box.file('error.log')};` });
  writeFileSync(
    box.file('upsync.yaml'),
    `nginx:\n  conf: nginx.conf\n  prefix: ${box.folder}\n  output: out\n  pid: nginx.pid\n`,
  );
  const sidecar = box.spawnMain(['run', '-c', box.file('upsync.yaml')]);
  await until(() => sidecar.output().includes('configuration_rendered'));
  const configPath = /"configPath":"([^"]+)"/.exec(sidecar.output())![1]!;
  const nginx = spawn((await findNginx())!.path, ['-c', configPath, '-p', box.folder], { stdio: 'ignore' });
  t.teardown(() => nginx.kill('SIGTERM'));
  await until(() =>
    box.list().then(
      (text) => text.includes(backend.address),
      () => false, // Not listening yet.
    ),
  );
  const added = await box.backend();
  await box.put(added.address);
  await until(async () => (await box.list()).includes(added.address));
  sidecar.child.kill('SIGTERM');
  t.equal(await sidecar.exit, 0);
  t.ok(isAlive(nginx.pid!), 'nginx is not its to end');
  t.match(await box.list(), added.address, 'and serves on');
});

await t.test('help and mistakes', async (t) => {
  const box = await Box.open(t);
  const overview = box.run('--help');
  t.equal(overview.status, 0);
  const names = [...overview.stdout.matchAll(/^ {2}([a-z]+) .*$/gm)].map((match) => match[1]!);
  t.ok(names.length >= 8);
  for (const name of names.filter((one) => one !== 'help')) {
    const help = box.run(name, '--help');
    t.equal(help.status, 0, `${name} --help`);
    t.match(help.stdout, `Example: upsync ${name}`, `${name} --help has an example`);
    if (name === 'nginx') continue;
    const wrong = box.run(name, ...(name === 'run' ? ['-c', 'x'] : []), '--no-such-option');
    t.equal(wrong.status, 2, `${name} --no-such-option`);
    t.match(wrong.stderr, /^upsync: unknown option '--no-such-option'\n/);
  }
  const unknown = box.run('shwo');
  t.equal(unknown.status, 2);
  t.match(
    unknown.stderr,
    /^upsync: unknown command 'shwo'\n\(Did you mean show\?\)\nupsync: see "upsync --help", which ends with an example\n$/,
  );
  const unreadable = box.run('run', '-c', '/no/such/upsync.yaml');
  t.equal(unreadable.status, 1);
  t.match(unreadable.stderr, /^upsync: cannot read \/no\/such\/upsync.yaml: .*\n$/);
  t.equal(box.run().status, 2, 'no command at all is a mistake');
  t.match(box.run('version').stdout, /^upsync \d+\.\d+\.\d+\nnode v\d+/);
});
