import { describe, expect, it } from 'vitest';
import {
  balancerBlock,
  httpPreamble,
  initLua,
  initWorkerLua,
  logLua,
  luaString,
  nginxString,
  showBlock,
} from '../../../src/upsync/nginx/snippets.ts';

describe('what the translated configuration gains', () => {
  it('stands on one line, whatever names and paths are', () => {
    const odd = 'a "b"\n}; \\ $x é';
    const texts = [
      httpPreamble({ controlSocket: '/run/my app/control.sock' }),
      initLua({ luaFile: odd, bootFile: odd }),
      initWorkerLua(),
      logLua(),
      balancerBlock(odd),
      showBlock(),
    ];
    for (const text of texts) expect(text).not.toContain('\n');
    expect(balancerBlock(odd)).toContain(
      '"a\\032\\034b\\034\\010\\125\\059\\032\\092\\032\\036x\\032\\195\\169"',
    );
  });

  it('sizes the request pool, unless the user did', () => {
    const controlSocket = '/run/c.sock';
    expect(httpPreamble({ controlSocket })).toMatch(
      /^request_pool_size 10k; lua_malloc_trim 0; lua_shared_dict /,
    );
    expect(httpPreamble({ controlSocket, given: new Set(['request_pool_size']) })).not.toContain('pool');
    expect(httpPreamble({ controlSocket, given: new Set(['lua_malloc_trim']) })).not.toContain('trim');
  });

  it('undoes for the control server what the http block says for all, and nothing else', () => {
    const controlSocket = '/run/c.sock';
    const text = httpPreamble({ controlSocket, given: new Set(['limit_req', 'auth_request']) });
    expect(text).toContain('limit_req_zone $remote_user zone=upsync_no_req:1m rate=1r/s; lua_shared_dict');
    expect(text).toContain('limit_req zone=upsync_no_req; auth_request off; log_by_lua_block');
    expect(httpPreamble({ controlSocket })).not.toMatch(/limit_|auth_request|mirror/);
  });

  it('closes every brace it opens', () => {
    for (const text of [httpPreamble({ controlSocket: '/run/c.sock' }), balancerBlock('}{'), showBlock()])
      expect(text.split('{').length).toBe(text.split('}').length);
  });

  it.each([
    ['/plain/path-1.sock', '/plain/path-1.sock'],
    ['/a b', '"/a b"'],
    ['/a"b\\c', '"/a\\"b\\\\c"'],
  ])('quotes a path for nginx only when it must: %s', (path, quoted) => {
    expect(nginxString(path)).toBe(quoted);
  });

  it('refuses a path that does not fit a line, a socket path that is too long, and a size that is none', () => {
    expect(() => nginxString('/a\nb')).toThrow(expect.objectContaining({ code: 'BAD_PATH' }));
    const controlSocket = `/${'x'.repeat(107)}`;
    expect(() => httpPreamble({ controlSocket })).toThrow(expect.objectContaining({ code: 'BAD_PATH' }));
    expect(() => httpPreamble({ controlSocket: '/c', dictSize: '1m; }' })).toThrow(
      expect.objectContaining({ code: 'BAD_SIZE' }),
    );
  });

  it('writes Lua strings that hold any text', () => {
    expect(luaString('plain/Path_1.lua')).toBe('"plain/Path_1.lua"');
    expect(luaString(']]--"')).toBe('"\\093\\093--\\034"');
  });
});
