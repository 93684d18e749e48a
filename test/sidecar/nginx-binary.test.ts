import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findNginx, parseVersionText, requireNginx } from '../../src/sidecar/nginx-binary.ts';

const debian = `nginx version: nginx/1.22.1
built with OpenSSL 3.0.19
configure arguments: --with-cc-opt='-g -O2 --prefix=/wrong' --prefix=/usr/share/nginx --conf-path=/etc/nginx/nginx.conf --error-log-path=stderr --pid-path=/run/nginx.pid --modules-path=/usr/lib/nginx/modules --with-compat
`;
const openresty = `nginx version: openresty/1.21.4.1
configure arguments: --prefix=/usr/local/openresty/nginx --add-module=../ngx_devel_kit-0.3.1 --add-module=../ngx_lua-0.10.21
`;
const tengine = `Tengine version: Tengine/2.3.3
nginx version: nginx/1.18.0
configure arguments: --prefix='/opt/my nginx'
`;

describe('what nginx says about itself', () => {
  it('is read from Debian, where Lua is a module of its own', () => {
    const files = [
      '/usr/lib/nginx/modules/ndk_http_module.so',
      '/usr/lib/nginx/modules/ngx_http_lua_module.so',
    ];
    expect(parseVersionText('/usr/sbin/nginx', debian, (file) => files.includes(file))).toEqual({
      path: '/usr/sbin/nginx',
      name: 'nginx/1.22.1',
      version: '1.22.1',
      prefix: '/usr/share/nginx',
      confPath: '/etc/nginx/nginx.conf',
      pidPath: '/run/nginx.pid',
      errorLogPath: 'stderr',
      modulesPath: '/usr/lib/nginx/modules',
      lua: { kind: 'dynamic', modules: files },
    });
  });

  it('knows when the Lua module is not there', () => {
    expect(parseVersionText('/nginx', debian, () => false)?.lua).toEqual({ kind: 'absent' });
  });

  it('is read from OpenResty, where Lua is built in', () => {
    const nginx = parseVersionText('/nginx', openresty, () => false);
    expect(nginx).toMatchObject({
      name: 'openresty/1.21.4.1',
      version: '1.21.4',
      lua: { kind: 'static' },
      pidPath: 'logs/nginx.pid',
      confPath: 'conf/nginx.conf',
      modulesPath: '/usr/local/openresty/nginx/modules',
    });
  });

  it('is read from a relative of nginx, quotes included', () => {
    expect(parseVersionText('/nginx', tengine, () => false)).toMatchObject({
      version: '1.18.0',
      prefix: '/opt/my nginx',
    });
  });

  it('is nothing when something else speaks', () => {
    expect(parseVersionText('/nginx', 'hello\n', () => true)).toBeUndefined();
  });
});

describe('the search for nginx', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'upsync-find-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const program = (name: string, body: string): string => {
    const file = path.join(folder, name);
    writeFileSync(file, `#!/bin/sh\n${body}\n`);
    chmodSync(file, 0o755);
    return file;
  };

  it('takes what UPSYNC_NGINX names', async () => {
    const file = program('other', 'echo "nginx version: nginx/9.9.9" >&2');
    expect(await findNginx({ UPSYNC_NGINX: file, PATH: '/usr/bin:/bin' })).toMatchObject({
      path: file,
      version: '9.9.9',
    });
  });

  it('takes the first on PATH that says it is nginx', async () => {
    program('nginx', 'echo "nginx version: nginx/9.9.8" >&2');
    expect((await requireNginx({ PATH: `${folder}:/usr/bin:/bin` })).version).toBe('9.9.8');
  });

  it('passes over a wrapper around ourselves, which refuses to answer a probe', async () => {
    program('nginx', '[ -n "$UPSYNC_PROBE" ] && exit 1; echo "nginx version: nginx/9.9.8" >&2');
    const found = await findNginx({ PATH: `${folder}:/usr/bin:/bin` });
    expect(found?.path).not.toBe(path.join(folder, 'nginx'));
  });

  it.each([
    ['no such file', 'missing', /no program/],
    ['not nginx', 'true', /does not say that it is nginx/],
  ])('refuses UPSYNC_NGINX when it is %s', async (_what, name, message) => {
    program('true', 'true');
    await expect(findNginx({ UPSYNC_NGINX: path.join(folder, name), PATH: '/bin' })).rejects.toThrow(
      expect.objectContaining({ code: 'NGINX_NOT_FOUND', message: expect.stringMatching(message) }),
    );
  });
});
