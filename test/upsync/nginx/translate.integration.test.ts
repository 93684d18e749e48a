import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { showFileName } from '../../../src/upsync/nginx/file-names.ts';
import { startBackend } from '../../helpers/backend.ts';
import { CORPUS } from '../../helpers/nginx-corpus.ts';
import { scratchFolder } from '../../helpers/scratch-folder.ts';
import { runNginx, testConfig, translated } from '../../helpers/translated-nginx.ts';
import { freePort } from '../../helpers/ports.ts';

const UPSYNC = 'upsync 127.0.0.1:8500/v1/kv/upstreams/test upsync_type=consul;';
const asRoot = process.getuid?.() === 0;
const TEMP = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  .map((name) => `${name}_temp_path tmp/${name};`)
  .join(' ');
const folderWith = (files: Record<string, string>): string => {
  const folder = scratchFolder({ 'tmp/x': '', ...files });
  // The workers are another user when nginx starts as root.
  chmodSync(folder, 0o755);
  return folder;
};
const backend = async (text: string) => {
  const one = await startBackend();
  onTestFinished(() => one.close());
  one.handler = (_request, response) => response.end(text);
  return one;
};

describe('nginx -t takes the translation of', () => {
  it.each(CORPUS.map(({ title, text }) => [title, text] as const))('%s', async (_title, text) => {
    const withUpsync = text.replace(
      /http\s*\{/,
      `$& ${TEMP} upstream test { ${UPSYNC} server localhost:80; keepalive 3; }`,
    );
    const plain = `error_log stderr; ${withUpsync}`;
    const one = await translated(folderWith({ 'nginx.conf': plain }));
    expect(await testConfig(one)).toEqual({ ok: true, text: '' });
  });

  const bodies: readonly string[] = [
    'server 10.0.0.1:80 weight=2; zone z 64k; keepalive 8;',
    'zone z 64k; least_conn; server localhost:80;',
    'hash $request_uri consistent; keepalive 8; server 10.0.0.1:80 backup;',
    'random two least_conn; keepalive 8; keepalive_timeout 3s; keepalive_requests 10;',
    'ewma; upsync_lb ewma;',
    'bounded_hash $uri factor=2;',
    'include none.conf; upsync_dump_path dump.conf;',
    '',
  ];
  it.each(bodies)('an upstream with "%s"', async (body) => {
    const text = `error_log stderr; events {} http { ${TEMP} upstream test { ${UPSYNC} ${body} } server { listen 127.0.0.1:1234; location / { proxy_pass http://test; } location /l { upstream_show; } } }`;
    expect(await testConfig(await translated(folderWith({ 'nginx.conf': text })))).toEqual({
      ok: true,
      text: '',
    });
  });

  it('every form of the user’s own hooks', async () => {
    const text = `error_log stderr; events {} http { ${TEMP}
      init_by_lua 'x = "}"';
      init_worker_by_lua_file w.lua;
      log_by_lua "local a = \\"1\\"
        local b = '2'";
      upstream test { ${UPSYNC} }
      server { listen 127.0.0.1:1234; log_by_lua_block { local s = "}" }
        location / { log_by_lua_file l.lua; if ($arg_a) { log_by_lua return; } } } }`;
    const one = await translated(folderWith({ 'nginx.conf': text, 'w.lua': '', 'l.lua': '' }));
    expect(await testConfig(one)).toEqual({ ok: true, text: '' });
  });
});

it('keeps the user’s file and line in what nginx finds wrong', async () => {
  const folder = folderWith({
    'nginx.conf': `error_log stderr;\nevents {}\nhttp {\n upstream test {\n  ${UPSYNC}\n  server 10.0.0.1:80\n  weight=2; keepalive 1;\n }\n include conf.d/*.conf;\n}`,
    'conf.d/a.conf': `upstream other {\n ${UPSYNC.replace('test', 'other')}\n}\nserver {\n listen 127.0.0.1:1234;\n nonsense on;\n}`,
  });
  const { ok, text } = await testConfig(await translated(folder));
  expect(ok).toBe(false);
  expect(text).toContain(`unknown directive "nonsense" in ${folder}/conf.d/a.conf:6`);
});

it('keeps file and line of a file that an absolute include brings in from elsewhere', async () => {
  const other = folderWith({ 'sub/a.conf': `upstream other {\n ${UPSYNC}\n}\nnonsense;\n` });
  const folder = folderWith({
    'nginx.conf': `error_log stderr; events {} http { ${TEMP} include ${other}/sub/*.conf; }`,
  });
  const { text } = await testConfig(await translated(folder));
  expect(text).toContain(`unknown directive "nonsense" in ${other}/sub/a.conf:4`);
});

it('leads to every file that the configuration names relative to the main file', async () => {
  const port = await freePort();
  const folder = folderWith({
    'conf/nginx.conf': `user www-data; events {} http { ${TEMP} types { include ../mime; } upstream test { ${UPSYNC} }
      server { listen 127.0.0.1:${port}; root ../html; location / { auth_basic x; auth_basic_user_file ../secret/users; } } }`,
    mime: 'text/x-mine mine;',
    'secret/users': 'a:{PLAIN}b\n',
    'html/f.mine': 'hello',
  });
  for (const name of ['conf', 'secret', 'html', 'tmp']) chmodSync(path.join(folder, name), 0o755);
  const one = await translated(folder, {
    main: path.join(folder, 'conf/nginx.conf'),
    prefix: path.join(folder, 'conf'),
  });
  mkdirSync(path.join(folder, 'conf/tmp'));
  const running = await runNginx({ ...one, folder: path.join(folder, 'conf') });
  const url = `http://127.0.0.1:${port}/f.mine`;
  expect((await fetch(url)).status).toBe(401);
  const answer = await fetch(url, { headers: { authorization: `Basic ${btoa('a:b')}` } });
  expect([answer.status, answer.headers.get('content-type'), await answer.text()], running.errors()).toEqual([
    200,
    'text/x-mine',
    'hello',
  ]);
  expect(asRoot ? running.errors() : '').not.toContain('Permission denied');
});

it('balances an upstream that has a zone and keepalive, and runs the user’s own hooks', async () => {
  const port = await freePort();
  const [a, b] = [await backend('a'), await backend('b')];
  const folder = folderWith({
    'nginx.conf': `user root; events {} http { ${TEMP} lua_shared_dict mine 100k;
      init_by_lua_block { greeting = "hi" }
      upstream test { zone z 64k; ${UPSYNC.replace(';', ' seed=0;')} server ${a.address} weight=2; server ${b.address}; keepalive 4; }
      server { listen 127.0.0.1:${port};
        location / { proxy_pass http://test; proxy_http_version 1.1; proxy_set_header Connection ""; log_by_lua_file log.lua; }
        location /count { content_by_lua_block { ngx.print(ngx.shared.mine:get("n"), greeting) } }
        location /l { upstream_show; } } }`,
    'log.lua': 'ngx.shared.mine:incr("n", 1, 0)',
  });
  const running = await runNginx(await translated(folder));
  const get = async (uri: string): Promise<string> => (await fetch(`http://127.0.0.1:${port}${uri}`)).text();
  let answers = '';
  for (let turn = 0; turn < 6; turn++) answers += await get('/');
  expect(answers, running.errors()).toBe('abaaba');
  expect(await get('/count')).toBe('6hi');
  expect(a.connections).toBe(1);
  expect(await get('/l?test')).toBe(
    `Upstream name: test; Backend server count: 2\n        server ${a.address} weight=2 max_fails=1 fail_timeout=10s;\n        server ${b.address} weight=1 max_fails=1 fail_timeout=10s;\n`,
  );
  expect(running.errors()).not.toMatch(/\[(error|alert|crit|emerg)\]/);
});

describe('without the Lua module', () => {
  it('serves from the included list, and answers upstream_show from files only', async () => {
    const port = await freePort();
    const one = await backend('one');
    const folder = folderWith({
      'nginx.conf': `user www-data; events {} http { ${TEMP} upstream Test.A { ${UPSYNC} ip_hash; keepalive 2; } upstream ${'x'.repeat(70)} { server 127.0.0.1:1; }
        server { listen 127.0.0.1:${port}; location / { proxy_pass http://Test.A; } location = /l { upstream_show; } } }`,
      'run/servers/Test.A.conf': `server ${one.address} weight=1;\n`,
      'run/show/all.txt': 'all\n',
      'run/show/unknown.txt': 'unknown',
      [`run/show/${showFileName('Test.A')}`]: 'test\n',
      [`run/show/${showFileName('x'.repeat(70))}`]: 'long\n',
    });
    for (const name of ['run', 'run/show', 'run/show/by-name', 'tmp'])
      chmodSync(path.join(folder, name), 0o755);
    writeFileSync(path.join(folder, 'run/secret.txt'), 'secret');
    const mode = {
      kind: 'reload',
      includeFolder: path.join(folder, 'run/servers'),
      showFolder: path.join(folder, 'run/show'),
    } as const;
    const running = await runNginx(await translated(folder, { mode }));
    const get = async (uri: string, method = 'GET'): Promise<(string | number | null)[]> => {
      const answer = await fetch(`http://127.0.0.1:${port}${uri}`, { method });
      return [answer.status, answer.headers.get('content-type'), await answer.text()];
    };
    expect(await get('/'), running.errors()).toEqual([200, null, 'one']);
    expect(await get('/l')).toEqual([200, 'text/plain', 'all\n']);
    expect(await get('/l?test.a')).toEqual([200, 'text/plain', 'test\n']);
    expect(await get(`/l?${'X'.repeat(70)}`)).toEqual([200, 'text/plain', 'long\n']);
    for (const query of [
      'none',
      'testxa',
      '../secret',
      '../../secret.txt',
      'by-name/test.a',
      '%2e%2e/secret',
    ])
      expect(await get(`/l?${query}`)).toEqual([200, 'text/plain', 'unknown']);
    expect((await get('/l', 'POST'))[0]).toBe(405);
    expect(await get('/l', 'HEAD')).toEqual([200, 'text/plain', '']);
  });
});
