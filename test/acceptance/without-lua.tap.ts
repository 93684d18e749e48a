import { spawnSync } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import t from 'tap';
import { findNginx } from '../../src/sidecar/nginx-binary.ts';
import { Box, until } from '../helpers/upsync-nginx.ts';

await t.test('without the Lua module lists come by include file and reload', async (t) => {
  const box = await Box.open(t);
  const nginx = await findNginx();
  // The same nginx, which claims to look for modules where there are none.
  const said = spawnSync(nginx!.path, ['-V'], { encoding: 'utf8' }).stderr;
  writeFileSync(box.file('said'), said.replace(/--modules-path=\S+/, '--modules-path=/no/modules'));
  writeFileSync(
    box.file('nginx-without-lua'),
    `#!/bin/sh\nif [ "$1" = -V ]; then cat ${box.file('said')} >&2; exit 0; fi\nexec ${nginx!.path} "$@"\n`,
  );
  chmodSync(box.file('nginx-without-lua'), 0o755);
  // The workers, another user, read the texts of upstream_show.
  chmodSync(box.folder, 0o755);
  box.env.UPSYNC_NGINX = box.file('nginx-without-lua');

  const [first, second] = [await box.backend(), await box.backend()];
  await box.put(first.address);
  box.configure();
  const started = await box.start();
  await until(() => started.output().includes('libnginx-mod-http-lua'));
  t.pass('the package that brings lists without a reload is named');
  await until(async () => (await box.get('/')).text === first.address);
  await box.put(second.address, { weight: 2 });
  await until(async () => (await box.list()).includes(second.address));
  t.match(await box.list(), 'Upstream name: test; Backend server count: 2\n');
  await until(async () => (await box.get('/upstream_list')).text.includes('Backend server count: 2\n'));
  t.match((await box.get('/upstream_list?none')).text, 'does not exist');
  const answers = new Set<string>();
  await until(async () => answers.add((await box.get('/')).text).size === 2);
  t.same([...answers].sort(), [first.address, second.address].sort(), 'both servers get requests');

  box.configure({ location: 'location /new { return 200 new; }' });
  process.kill(started.pid, 'SIGHUP');
  await until(async () => (await box.get('/new')).text === 'new');
  t.match(await box.list(), second.address, 'the list survives a reload of the configuration');
  process.kill(started.pid, 'SIGQUIT');
  t.equal(await started.exit, 0);
});
