import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { ConfigErrors } from '../../../src/upsync/config-error.ts';
import { withLists } from '../../../src/upsync/nginx/boot-lists.ts';
import {
  balancerBlock,
  httpPreamble,
  initLua,
  initWorkerLua,
  logLua,
  showBlock,
} from '../../../src/upsync/nginx/snippets.ts';
import { translate } from '../../../src/upsync/nginx/translate.ts';
import type { TranslateOptions, Translation } from '../../../src/upsync/nginx/translation.ts';
import { createServer } from '../../../src/upstream/server.ts';
import { CORPUS } from '../../helpers/nginx-corpus.ts';
import { scratchFolder } from '../../helpers/scratch-folder.ts';
import { DEBIAN_LUA, translateOptions, WORKERS } from '../../helpers/translate-options.ts';

const UPSYNC = 'upsync 127.0.0.1:8500/v1/kv/upstreams/test upsync_type=consul;';
const HOOKS = `init_by_lua_block { ${initLua(WORKERS)} } init_worker_by_lua_block { ${initWorkerLua()} } log_by_lua_block { ${logLua()} }`;
const HEAD = ` ${httpPreamble(WORKERS)} ${HOOKS}`;

const run = (files: Record<string, string>, more: Partial<TranslateOptions> = {}): Promise<Translation> =>
  translate(translateOptions(scratchFolder(files), more));
const textOf = (translation: Translation, name = 'nginx.conf'): string | undefined =>
  translation.files.find(({ original }) => original.endsWith(`/${name}`))?.text;
const inUpstream = (body: string): string => `http { upstream test { ${UPSYNC} ${body} } }`;
const errorsOf = async (
  files: Record<string, string>,
  more: Partial<TranslateOptions> = {},
): Promise<string[]> => {
  const folder = scratchFolder(files);
  try {
    await translate(translateOptions(folder, more));
  } catch (error) {
    if (error instanceof ConfigErrors)
      return error.errors.map(({ message }) => message.replaceAll(`${folder}/`, ''));
    throw error;
  }
  return [];
};
const planOf = async (body: string, files: Record<string, string> = {}) =>
  (await run({ 'nginx.conf': inUpstream(body), ...files })).plans[0]!;

describe('an upstream with an upsync directive', () => {
  it('gets the balancer behind its brace; its servers and our directives go, the rest stays in place', async () => {
    const text = `# c\nhttp {\n    upstream test { # mine\n        ${UPSYNC}\n        upsync_dump_path /d.conf;  # x\n        upsync_lb roundrobin;\n        server 10.0.0.1:80\n            weight=2;\n        keepalive 16;\n        zone z 64k;\n    }\n    server { listen 80; }\n}\n`;
    expect(textOf(await run({ 'nginx.conf': text }))).toBe(
      `# c\nhttp {${HEAD}\n    upstream test { ${balancerBlock('test')} # mine\n        \n          # x\n        \n        \n\n        keepalive 16;\n        zone z 64k;\n    }\n    server { listen 80; }\n}\n`,
    );
  });

  it('becomes a plan with everything its directives say', async () => {
    const folder = scratchFolder({
      'nginx.conf': `http {\nupstream test {\n  ${UPSYNC.replace(';', ' strong_dependency=on allow_empty=on seed=7 slow_start=10s;')}\n  upsync_dump_path dumps/d.conf; least_conn; server a.example weight=3 backup; server 10.0.0.1:81 down;\n}}`,
    });
    expect((await translate(translateOptions(folder))).plans).toEqual([
      {
        name: 'test',
        source: expect.objectContaining({ type: 'consul', path: '/v1/kv/upstreams/test' }),
        strongDependency: true,
        allowEmpty: true,
        dumpPath: `${folder}/dumps/d.conf`,
        balancer: { method: 'least_conn', seed: 7, loadFactor: 1.25 },
        slowStartMs: 10_000,
        initial: [
          createServer('a.example:80', { weight: 3, maxFails: 1, backup: true }),
          createServer('10.0.0.1:81', { maxFails: 1, down: true }),
        ],
        where: `${folder}/nginx.conf:3`,
      },
    ]);
  });

  it('may have no server at all', async () => {
    expect((await planOf('')).initial).toEqual([]);
  });

  it('takes an include that is missing as empty, and says so', async () => {
    const translation = await run({ 'nginx.conf': inUpstream('include servers/test.conf; keepalive 2;') });
    expect(textOf(translation)).toBe(
      `http {${HEAD} upstream test { ${balancerBlock('test')}   keepalive 2; } }`,
    );
    expect(translation.warnings.join()).toContain('No such file or directory');
  });

  it('takes its servers from includes, and keeps what else stands there', async () => {
    const files = {
      's.conf': 'server 10.0.0.1:80;\n# c\nkeepalive 8;\ninclude t.conf;',
      't.conf': 'server 10.0.0.2:80;keepalive_timeout "5s";',
    };
    const translation = await run({ 'nginx.conf': inUpstream('include s.conf;'), ...files });
    expect(translation.plans[0]!.initial.map(({ address }) => address)).toEqual([
      '10.0.0.1:80',
      '10.0.0.2:80',
    ]);
    expect(textOf(translation)).toContain(`${balancerBlock('test')}  keepalive 8; keepalive_timeout "5s"; }`);
    expect(translation.files.length).toBe(1);
  });

  it('keeps an include that has no servers', async () => {
    const translation = await run({ 'nginx.conf': inUpstream('include k.conf;'), 'k.conf': 'keepalive 8;' });
    expect(textOf(translation)).toContain('include k.conf; }');
  });

  it.each(['none/*.conf', 'empty.conf'])(
    'drops the include %s, which may have servers later',
    async (file) => {
      const translation = await run({
        'nginx.conf': inUpstream(`include ${file};`),
        'empty.conf': '# nothing yet\n',
      });
      expect(textOf(translation)).toContain(`${balancerBlock('test')}   } }`);
    },
  );

  it('may have its upsync directive in an include', async () => {
    const translation = await run({
      'nginx.conf': 'http { upstream test { include u.conf; } }',
      'u.conf': `${UPSYNC}\nserver 10.0.0.1:80;\n`,
    });
    expect(translation.plans.length).toBe(1);
    expect(textOf(translation)).toContain(`upstream test { ${balancerBlock('test')}  }`);
  });

  it('may stand in an included file, which then changes while the main file has the preamble', async () => {
    const translation = await run({
      'nginx.conf': 'http { include conf.d/*.conf; }',
      'conf.d/a.conf': `upstream test { ${UPSYNC} }\n`,
    });
    expect(textOf(translation, 'conf.d/a.conf')).toBe(`upstream test { ${balancerBlock('test')}  }\n`);
    expect(textOf(translation)).toBe(`http {${HEAD} include conf.d/*.conf; }`);
  });

  it('reads a damaged dump file as far as it is good', async () => {
    const folder = scratchFolder({ 'd.conf': 'server 10.0.0.1:80 weight=2;\nserver 10.0.0.2:80 wei' });
    const main = `http { upstream test { ${UPSYNC} upsync_dump_path ${folder}/d.conf; include ${folder}/d.conf; } }`;
    const translation = await run({ 'nginx.conf': main });
    expect(translation.plans[0]!.initial.map(({ address }) => address)).toEqual(['10.0.0.1:80']);
    expect(translation.warnings.join()).toContain('a line of the dump file is skipped');
  });

  const methods: readonly (readonly [string, string, string | undefined])[] = [
    ['', 'round_robin', undefined],
    ['ip_hash;', 'ip_hash', undefined],
    ['hash $request_uri$arg_x;', 'hash', '$request_uri$arg_x'],
    ['hash "${uri} é" consistent;', 'hash_consistent', '${uri} é'],
    ['random two least_conn;', 'random_two_least_conn', undefined],
    ['ewma;', 'ewma', undefined],
    ['bounded_hash $uri factor=1.5;', 'bounded_hash', '$uri'],
    ['upsync_lb ip_hash;', 'ip_hash', undefined],
    ['upsync_lb hash_ketama; hash $uri consistent;', 'hash_consistent', '$uri'],
  ];
  it.each(methods)('balances by "%s" as %s', async (text, method, hashKey) => {
    const body = Buffer.from(inUpstream(`${text} keepalive 1;`), 'utf8').toString('latin1');
    const { boot, files } = await run({ 'nginx.conf': body });
    const [upstream] = boot.upstreams;
    expect(upstream).toMatchObject({ kind: 'upsync', balancer: { method } });
    expect(upstream!.kind === 'upsync' && upstream!.hashKey).toBe(hashKey);
    expect(files[0]!.text).toMatch(/balance\("test"\) } +keepalive 1; } }$/);
  });

  it('warns of a dump file that nobody can write, since its folder is missing', async () => {
    const { warnings } = await run({
      'nginx.conf': inUpstream('upsync_dump_path /no/such/list.conf;\nserver h:1;'),
    });
    expect(warnings.join()).toContain('the folder of the dump file "/no/such/list.conf" does not exist');
  });

  it('warns as nginx does when a method is redefined, and takes the last', async () => {
    const { plans, warnings } = await run({ 'nginx.conf': inUpstream('ip_hash; least_conn;') });
    expect(plans[0]!.balancer.method).toBe('least_conn');
    expect(warnings.join()).toContain('load balancing method redefined in');
  });
});

describe('what is wrong is named with its place', () => {
  const rows: readonly (readonly [string, string, readonly string[]])[] = [
    [
      'an unknown parameter',
      'http { upstream a {\nupsync h/x upsync_type=consul upsync_timeut=1;\n} }',
      [
        'unknown parameter "upsync_timeut" in the "upsync" directive, did you mean "upsync_timeout"? in nginx.conf:2',
      ],
    ],
    [
      'two upsync directives',
      `http { upstream a { ${UPSYNC}\n${UPSYNC} } }`,
      ['"upsync" directive is duplicate in nginx.conf:2'],
    ],
    [
      'two dump paths',
      inUpstream('upsync_dump_path a;\nupsync_dump_path b;'),
      ['"upsync_dump_path" directive is duplicate in nginx.conf:2'],
    ],
    [
      'a dump path without argument',
      inUpstream('upsync_dump_path;'),
      ['invalid number of arguments in "upsync_dump_path" directive in nginx.conf:1'],
    ],
    [
      'upsync outside upstream',
      `http { server {\n${UPSYNC} } }`,
      ['"upsync" directive is not allowed here in nginx.conf:2'],
    ],
    [
      'upsync in stream',
      `stream { upstream a {\n${UPSYNC} } }`,
      ['"upsync" directive is not allowed here in nginx.conf:2'],
    ],
    [
      'upstream_show in server',
      'http { server {\nupstream_show; } }',
      ['"upstream_show" directive is not allowed here in nginx.conf:2'],
    ],
    [
      'upstream_show in if',
      'http { server { location / { if ($a) {\nupstream_show; } } } }',
      ['"upstream_show" directive is not allowed here in nginx.conf:2'],
    ],
    [
      'upstream_show with an argument',
      'http { server { location / { upstream_show x; } } }',
      ['invalid number of arguments in "upstream_show" directive in nginx.conf:1'],
    ],
    [
      'an unknown lb word',
      inUpstream('upsync_lb 1;'),
      [
        'invalid value "1" in "upsync_lb", it must be one of roundrobin, ip_hash, least_conn, hash_modula, hash_ketama, random, ewma, bounded_hash in nginx.conf:1',
      ],
    ],
    [
      'a contradiction',
      inUpstream('least_conn; upsync_lb ip_hash;'),
      ['"upsync_lb ip_hash" contradicts the balancing method "least conn" of this upstream in nginx.conf:1'],
    ],
    [
      'sticky',
      inUpstream('sticky cookie srv;'),
      ['"sticky" cannot balance an upstream that has the "upsync" directive in nginx.conf:1'],
    ],
    [
      'another balancer',
      inUpstream('balancer_by_lua_block { }'),
      ['"balancer_by_lua_block" and "upsync" cannot both balance one upstream in nginx.conf:1'],
    ],
    [
      'a bad server line',
      inUpstream('\nserver 10.0.0.1:99999;'),
      ['"10.0.0.1:99999" is not a server address: the port must be 1 to 65535 in nginx.conf:2'],
    ],
    [
      'the same upstream twice',
      `http { upstream a { ${UPSYNC} }\nupstream A { server x; } }`,
      ['duplicate upstream "A" in nginx.conf:2'],
    ],
    [
      'one dump file for two',
      `http { upstream a { ${UPSYNC} upsync_dump_path /d; }\nupstream b { ${UPSYNC} upsync_dump_path /d; } }`,
      ['upstreams "a" and "b" have the same dump file "/d" in nginx.conf:2'],
    ],
    [
      'a missing include of a plain upstream',
      'http { upstream a {\ninclude none; } }',
      ['open() "none" failed (2: No such file or directory) in nginx.conf:2'],
    ],
    [
      'several at once',
      `user a;\nuser b;\ninclude none;\nhttp { upstream a { upsync h; } }`,
      [
        '"user" directive is duplicate in nginx.conf:2',
        'open() "none" failed (2: No such file or directory) in nginx.conf:3',
        '"upsync_type" is missing in the "upsync" directive: one of consul, consul_services, consul_health, etcd, file in nginx.conf:4',
      ],
    ],
  ];
  it.each(rows)('%s', async (_title, text, messages) => {
    expect(await errorsOf({ 'nginx.conf': text })).toEqual(messages);
  });

  it('but a list of servers may be included by an upsync and a plain upstream alike', async () => {
    const main = `http { upstream a { ${UPSYNC} include s; } upstream b { include s; } }`;
    const translation = await run({ 'nginx.conf': main, s: 'server 10.0.0.1:80;' });
    expect(textOf(translation)).toMatch(/upstream b { include s; } }$/);
  });
});

describe('hooks of the user', () => {
  const location = (text: string): string =>
    `http { upstream test { ${UPSYNC} } server { location / { ${text} } } }`;
  const rows: readonly (readonly [string, string, string])[] = [
    [
      'block',
      'log_by_lua_block {\n  local s = "}"\n}',
      `log_by_lua_block { ${logLua()} \n  local s = "}"\n}`,
    ],
    [
      'double quotes',
      'log_by_lua "x = \\"1\\"\n";',
      `log_by_lua "${logLua().replace(/"/g, '\\"')} x = \\"1\\"\n";`,
    ],
    ['single quotes', 'log_by_lua \'x = "1"\';', `log_by_lua '${logLua().replace(/"/g, '\\"')} x = "1"';`],
    ['a bare word', 'log_by_lua x=f"1";', `log_by_lua "${logLua().replace(/"/g, '\\"')} x=f\\"1\\"";`],
  ];
  it.each(rows)('get ours first: %s', async (_title, text, expected) => {
    expect(textOf(await run({ 'nginx.conf': location(text) }))).toContain(`location / { ${expected} }`);
  });

  it('get ours first: a file, whose path belongs to the prefix', async () => {
    const text = textOf(
      await run({ 'nginx.conf': location('log_by_lua_file lua/log.lua;') }, { prefix: '/p' }),
    )!;
    expect(text).toContain(`location / { log_by_lua_block { ${logLua()} local run = `);
    expect(text).toContain('loadfile("/p/lua/log.lua")');
  });

  it('become a block when ours would make the quoted word longer than nginx reads', async () => {
    const code = `local t = {}\n${'-- {\n'.repeat(800)}`;
    const main = `http { init_by_lua '${code}'; upstream test { ${UPSYNC} } }`;
    const text = textOf(await run({ 'nginx.conf': main }))!;
    expect(text).toContain(`init_by_lua_block { ${initLua(WORKERS)} ${code} } upstream`);
    expect(text.split('\n').length).toBe(main.split('\n').length);
  });

  it('get ours first: a file whose path has variables', async () => {
    const text = textOf(
      await run({ 'nginx.conf': location('log_by_lua_file "lua/${host}/$a.lua";') }, { prefix: '/p' }),
    )!;
    expect(text).toContain(
      'local file = "lua/" .. (ngx.var["host"] or "") .. "/" .. (ngx.var["a"] or "") .. ".lua"; ',
    );
    expect(text).toContain('file = "/p/" .. file end');
  });

  it.each([
    ['lua_code_cache off; upstream test { UPSYNC } server { location / { proxy_pass http://$a; } }', true],
    ['upstream test { UPSYNC } server { lua_code_cache Off; include pass; }', true],
    ['upstream test { UPSYNC } server { location /l { upstream_show; lua_code_cache off; } }', true],
    [
      'upstream test { UPSYNC } server { location /dev { lua_code_cache off; return 200; } include pass; }',
      false,
    ],
    ['upstream test { UPSYNC } server { lua_code_cache on; include pass; }', false],
    ['lua_code_cache off; server { include pass; }', false],
  ])('cannot be loaded anew where they are needed: %s', async (text, refused) => {
    const files = {
      'nginx.conf': `http { ${text.replace('UPSYNC', UPSYNC)} }`,
      pass: 'location /p { proxy_pass http://test; }',
    };
    if (refused)
      await expect(run(files)).rejects.toThrow(/"lua_code_cache off" cannot stand .*nginx\.conf:1$/);
    else await run(files);
  });

  it('of the http block take the place of ours', async () => {
    const text = textOf(
      await run({
        'nginx.conf': `http { init_by_lua_block { a() } init_worker_by_lua_block { b() } log_by_lua_block { c() } upstream test { ${UPSYNC} } }`,
      }),
    )!;
    expect(
      text.startsWith(`http { ${httpPreamble(WORKERS)} init_by_lua_block { ${initLua(WORKERS)}  a() }`),
    ).toBe(true);
    expect(text).toContain(`init_worker_by_lua_block { ${initWorkerLua()}  b() }`);
    expect(text).toContain(`log_by_lua_block { ${logLua()}  c() }`);
  });

  it('of the other phases are switched off for the control server, where the http block has them', async () => {
    const main = `http { access_by_lua_file a.lua; include more; upstream test { ${UPSYNC} } server { rewrite_by_lua_block { r() } } }`;
    const text = textOf(await run({ 'nginx.conf': main, more: 'body_filter_by_lua_block { b() }' }))!;
    const control = text.slice(text.indexOf('server_name upsync.control'), text.indexOf('location /'));
    expect(control).toContain(
      'access_by_lua_block { return } body_filter_by_lua_block { return } log_by_lua',
    );
    expect(control).not.toMatch(/rewrite_by|header_filter_by/);
  });

  it('in a file included twice are changed once', async () => {
    const main = `http { upstream test { ${UPSYNC} } server { include l; } server { include l; } }`;
    expect(textOf(await run({ 'nginx.conf': main, l: 'log_by_lua_block { x() }' }), 'l')).toBe(
      `log_by_lua_block { ${logLua()}  x() }`,
    );
  });

  it('of the stream block are left alone', async () => {
    const main = `stream { log_by_lua_block { x() } } http { upstream test { ${UPSYNC} } }`;
    expect(textOf(await run({ 'nginx.conf': main }))).toContain('stream { log_by_lua_block { x() } }');
  });
});

describe('the Lua module', () => {
  const [kit, lua] = DEBIAN_LUA.modules;
  const http = inUpstream('');
  const rows: readonly (readonly [string, string, RegExp])[] = [
    [
      'is loaded first of all',
      'user a;\n',
      new RegExp(`^load_module "${kit}"; load_module "${lua}"; user a;\n`),
    ],
    [
      'is not loaded twice',
      `load_module modules/ndk_http_module.so; load_module modules/ngx_http_lua_module.so;\n`,
      /^load_module modules\/ndk_http_module.so; load_module modules\/ngx_http_lua_module.so;\nhttp/,
    ],
    [
      'goes behind the development kit',
      'load_module modules/ndk_http_module.so;\n',
      new RegExp(`^load_module modules/ndk_http_module.so; load_module "${lua}";\n`),
    ],
  ];
  it.each(rows)('%s', async (_title, before, expected) => {
    expect(textOf(await run({ 'nginx.conf': before + http }, { lua: DEBIAN_LUA }))).toMatch(expected);
  });

  it('is not loaded when an include does', async () => {
    const files = {
      'nginx.conf': `include mods/*; ${http}`,
      'mods/1': `load_module ${kit};`,
      'mods/2': `load_module ${lua};`,
    };
    expect(textOf(await run(files, { lua: DEBIAN_LUA }))).toMatch(/^include/);
  });

  it.each([
    [`load_module ${kit}; load_module ${lua};`, /^http/],
    [`load_module "${kit}";`, new RegExp(`^load_module "${lua}"; http`)],
  ])('is not loaded again when the command line does: %s', async (globalDirectives, expected) => {
    const files = { 'nginx.conf': inUpstream('') };
    expect(textOf(await run(files, { lua: DEBIAN_LUA, globalDirectives }))).toMatch(expected);
  });
});

describe('a configuration without our directives', () => {
  it.each(CORPUS.map(({ title, text }) => [title, text] as const))(
    'stays as it is: %s',
    async (_title, text) => {
      expect((await run({ 'nginx.conf': text })).files).toEqual([]);
    },
  );

  it.each(CORPUS.map(({ title, text }) => [title, text] as const))(
    'changes in one place only: %s',
    async (_title, text) => {
      const addition = `http { upstream test { ${UPSYNC} } server {`;
      const changed = text
        .replace(/http\s*\{(?=[^]*server)/, addition.slice(0, -8))
        .replace(/log_by_lua_block.*\n/, '');
      const [file] = (await run({ 'nginx.conf': changed })).files;
      const back =
        file?.text
          .replace(
            / request_pool_size 10k; lua_malloc_trim 0; lua_shared_dict upsync.*?(?= upstream test)/,
            '',
          )
          .replace(balancerBlock('test'), UPSYNC) ?? changed;
      // Only the blank between the brace and the removed directive, and the user's own init hook, may differ.
      expect(back.replace(initLua(WORKERS), '').replace(/ +/g, ' ')).toBe(changed.replace(/ +/g, ' '));
    },
  );
});

describe('what the supervisor must know', () => {
  it('has the defaults of nginx', async () => {
    const folder = scratchFolder({ 'nginx.conf': 'events {}' });
    expect((await translate(translateOptions(folder, { prefix: '/p' }))).facts).toEqual({
      prefix: '/p',
      confFolder: folder,
      pid: '/p/logs/nginx.pid',
      daemon: true,
      masterProcess: true,
      workerProcesses: '1',
    });
  });

  it('is read from the main context and its includes', async () => {
    const { facts } = await run({
      'nginx.conf': 'user www staff; include m;',
      m: 'daemon Off; pid /run/x.pid; worker_processes auto; master_process off;',
    });
    expect(facts).toMatchObject({
      user: 'www',
      group: 'staff',
      daemon: false,
      pid: '/run/x.pid',
      workerProcesses: 'auto',
      masterProcess: false,
    });
  });

  it('is read from -g too', async () => {
    const { facts } = await run(
      { 'nginx.conf': 'events {}' },
      { globalDirectives: 'daemon off; pid "my pid";', prefix: '/p' },
    );
    expect(facts).toMatchObject({ daemon: false, pid: '/p/my pid' });
  });

  it.each([
    ['pid a; pid b;', undefined, '"pid" directive is duplicate in nginx.conf:1'],
    ['pid a;', 'pid b;', '"pid" directive is duplicate in nginx.conf:1'],
  ])('is refused when given twice: %s with -g %s', async (text, globalDirectives, message) => {
    expect(
      await errorsOf({ 'nginx.conf': text }, globalDirectives === undefined ? {} : { globalDirectives }),
    ).toEqual([message]);
  });

  it('is refused when -g lacks its semicolon', async () => {
    await expect(run({ 'nginx.conf': '' }, { globalDirectives: 'daemon off' })).rejects.toThrowError(
      'unexpected end of parameter, expecting ";" in command line',
    );
  });

  it('is taken out of the text when asked for', async () => {
    const translation = await run(
      { 'nginx.conf': 'daemon off;\npid\n x;\nuser a;\n' },
      { takeOut: ['daemon', 'pid'] },
    );
    expect(textOf(translation)).toBe('\n\n\nuser a;\n');
    expect(translation.facts.daemon).toBe(false);
  });
});

describe('the boot configuration', () => {
  it.each([
    ['location / { proxy_pass http://test; }', false],
    ['location / { proxy_pass http://test; error_page 502 = /sorry; }', true],
    ['location / { proxy_pass http://test; proxy_cache zone; }', true],
    ['location / { proxy_pass http://test; header_filter_by_lua_block { ngx.status = 200 } }', true],
  ])(
    'knows whether the status of a request can be another than its server’s: %s',
    async (location, veiled) => {
      const http = `http { upstream test { upsync 127.0.0.1:8500/v1/kv/u/ upsync_type=consul; server 10.0.0.1:80; } server { ${location} } }`;
      const { boot } = await run({ 'nginx.conf': `events { } ${http}` });
      expect(boot.veiled).toBe(veiled);
      expect(withLists(boot, new Map()).veiled).toBe(veiled);
    },
  );

  it('has every upstream in the order in which nginx meets it, implicit ones too', async () => {
    const text = `http {
      upstream first { server 10.0.0.1 weight=3; server unix:/run/a.sock down; server 10.0.0.9:1 backup; server two.example:81; }
      server { location /a { proxy_pass http://127.0.0.1:8090/x; } location /b { proxy_pass http://later; }
        location /c { proxy_pass http://$host; } location /d { fastcgi_pass unix:/run/f.sock; }
        location /e { proxy_pass https://api.example; } location /f { proxy_pass http://127.0.0.1:8090; }
        location /g { proxy_pass http://127.0.0.1:8091; } location /h { grpc_pass grpc://[::1]:50051; }
        location /i { proxy_pass http://unix:/run/p.sock:/x; } location /j { memcached_pass 127.0.0.1:11211; } }
      upstream later { ${UPSYNC} server nowhere.example:80; server two.example:80; }
    }`;
    const { boot, warnings } = await run({ 'nginx.conf': text });
    const show = (line: string): string => `server ${line};`;
    const literal = (address: string) => [show(`${address} weight=0 max_fails=0 fail_timeout=0s`)];
    expect(
      boot.upstreams.map((one) => [
        one.name,
        one.kind === 'plain' ? one.lines : one.servers.map(({ address }) => address),
      ]),
    ).toEqual([
      [
        'first',
        [
          show('10.0.0.1:80 weight=3 max_fails=1 fail_timeout=10s'),
          show('unix:/run/a.sock weight=1 max_fails=1 fail_timeout=10s down'),
          show('192.0.2.2:81 weight=1 max_fails=1 fail_timeout=10s'),
          show('[2001:db8::2]:81 weight=1 max_fails=1 fail_timeout=10s'),
        ],
      ],
      ['127.0.0.1', literal('127.0.0.1:8090')],
      ['later', ['192.0.2.2:80', '[2001:db8::2]:80']],
      ['/run/f.sock', literal('unix:/run/f.sock')],
      ['api.example', [show('192.0.2.1:443 weight=1 max_fails=1 fail_timeout=10s')]],
      ['127.0.0.1', literal('127.0.0.1:8091')],
      ['[::1]', literal('[::1]:50051')],
      ['/run/p.sock', literal('unix:/run/p.sock')],
      ['127.0.0.1', literal('127.0.0.1:11211')],
    ]);
    expect(warnings.join()).toContain('"nowhere.example" has no address yet');
  });

  it('can start with other lists', async () => {
    const { boot } = await run({ 'nginx.conf': inUpstream('server 10.0.0.1:80;') });
    const [upstream] = withLists(boot, new Map([['test', [createServer('10.0.0.2:80')]]])).upstreams;
    expect(upstream).toMatchObject({ name: 'test', servers: [{ address: '10.0.0.2:80' }] });
  });
});

describe('upstream_show', () => {
  it('becomes our content', async () => {
    const text = 'http { server { location /l {\n upstream_show;\n } } }';
    expect(textOf(await run({ 'nginx.conf': text }))).toBe(
      `http {${HEAD} server { location /l {\n ${showBlock()}\n } } }`,
    );
  });
});

describe('absolute includes', () => {
  it('of changed files become relative to the main file, so that the mirror has them', async () => {
    const other = scratchFolder({
      'x/a.conf': `upstream test { ${UPSYNC} }`,
      'x/b.conf': `include ${'/nonexistent*'};`,
    });
    const folder = scratchFolder({
      'nginx.conf': `http { include ${other}/*/a.conf; include ${other}/x/b.conf; }`,
    });
    const text = textOf(await translate(translateOptions(folder)))!;
    expect(
      text.endsWith(` include "${path.relative(folder, other)}/*/a.conf"; include ${other}/x/b.conf; }`),
    ).toBe(true);
  });

  it('in included files change those files in turn', async () => {
    const other = scratchFolder({ 'a.conf': `upstream test { ${UPSYNC} }` });
    const folder = scratchFolder({
      'nginx.conf': 'http { include b.conf; }',
      'b.conf': `# b\ninclude ${other}/a.conf;`,
    });
    const translation = await translate(translateOptions(folder));
    expect(textOf(translation, 'b.conf')).toBe(`# b\ninclude "${path.relative(folder, other)}/a.conf";`);
  });
});

describe('without the Lua module', () => {
  const mode = { kind: 'reload', includeFolder: '/run/u/servers', showFolder: '/run/u/show' } as const;

  it('includes the list and leaves the balancing to nginx', async () => {
    const text = inUpstream('server 10.0.0.1:80; least_conn; keepalive 4;');
    const translation = await run({ 'nginx.conf': text }, { mode });
    expect(textOf(translation)).toBe(
      'http { upstream test { include "/run/u/servers/test.conf";   least_conn; keepalive 4; } }',
    );
    expect(translation.mode).toBe('reload');
  });

  it('adds the method that upsync_lb alone selects', async () => {
    expect(textOf(await run({ 'nginx.conf': inUpstream('upsync_lb ip_hash;') }, { mode }))).toContain(
      'include "/run/u/servers/test.conf"; ip_hash;',
    );
  });

  it('refuses a method that nginx lacks', async () => {
    expect(await errorsOf({ 'nginx.conf': inUpstream('ewma;') }, { mode })).toEqual([
      `"ewma" needs nginx's Lua module, which is not installed in nginx.conf:1`,
    ]);
  });

  it('answers upstream_show from files, by names that are known', async () => {
    const text = `http { upstream a/b { ${UPSYNC} } upstream ${'n'.repeat(50)}.x { server 10.0.0.1:80; } server { location /l { upstream_show; } } }`;
    expect(textOf(await run({ 'nginx.conf': text }, { mode }))).toBe(
      `http { map $args $upsync_show_file { default unknown.txt; "" all.txt; "a/b" "by-name/a%2Fb.txt"; "~*^${'n'.repeat(50)}\\\\.x$" "by-name/${'n'.repeat(50)}.x.txt"; }` +
        ` upstream a/b { include "/run/u/servers/a%2Fb.conf";  } upstream ${'n'.repeat(50)}.x { server 10.0.0.1:80; } server { location /l {` +
        ' root "/run/u/show"; types { } default_type text/plain; try_files /$upsync_show_file =404; } } }',
    );
  });
});
