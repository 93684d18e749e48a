import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import { RegistryHttp } from '../../src/discovery/http.ts';
import { openSource } from '../../src/discovery/open.ts';
import { FakeServer, httpReply } from '../helpers/fake-server.ts';
import { sourceOptions } from '../helpers/source-options.ts';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});
const { signal } = new AbortController();
const ask = { path: '/v1/kv/a?recurse', deadlineMs: 2000, signal };

async function serve(reply = httpReply('[]')): Promise<FakeServer> {
  const server = await FakeServer.start((_request, socket) => socket.write(reply));
  cleanups.push(() => server.stop());
  return server;
}

describe('RegistryHttp', () => {
  it('sends the token of a file as it is now, as a header', async () => {
    const server = await serve();
    const folder = await mkdtemp(join(tmpdir(), 'upsync-token-'));
    cleanups.push(() => rm(folder, { recursive: true }));
    const tokenFile = join(folder, 'token');
    const http = new RegistryHttp({
      addresses: [server.url],
      credentials: { token: 'unused', tokenFile },
      tokenHeader: 'x-consul-token',
    });
    await expect(http.request(ask)).rejects.toMatchObject({ code: 'SOURCE_CREDENTIALS' });
    for (const token of ['first', 'second']) {
      await writeFile(tokenFile, `${token}\n# note\n`);
      await http.request(ask);
      expect(server.requests.at(-1)).toMatch(new RegExp(`^x-consul-token: ${token}$`, 'm'));
    }
  });

  it('puts no secret into errors, descriptions or URLs', async () => {
    const server = await serve(httpReply('token sup3r-secret is unknown', { status: '403 Forbidden' }));
    const addresses = [server.url.replace('http://', 'http://user:pa55word@')];
    const source = openSource(
      sourceOptions({ type: 'consul', path: '/v1/kv/a/', addresses, token: 'sup3r-secret' }),
    );
    const error: unknown = await source
      .lists(signal)
      [Symbol.asyncIterator]()
      .next()
      .catch((thrown: unknown) => thrown);
    const shown = inspect(error, { depth: 10 }) + source.description;
    expect(shown).toContain('token *** is unknown');
    expect(shown).not.toMatch(/sup3r|pa55word/);
    expect(server.requests[0]).toMatch(/^authorization: Basic /m);
  });

  it.each([[[]], [['127.0.0.1:8500']], [['ftp://127.0.0.1/']], [['']]])(
    'refuses the addresses %j',
    (addresses) => {
      expect(() => new RegistryHttp({ addresses, credentials: {}, tokenHeader: 'x-consul-token' })).toThrow(
        expect.objectContaining({ code: 'SOURCE_BAD_OPTIONS' }) as Error,
      );
    },
  );

  it('refuses a token that no header can carry, without repeating it', async () => {
    const server = await serve();
    const http = new RegistryHttp({
      addresses: [server.url],
      credentials: { token: 'se\r\ncret: 1' },
      tokenHeader: 'x-consul-token',
    });
    const error: unknown = await http.request(ask).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'SOURCE_CREDENTIALS' });
    expect(String(error)).not.toContain('cret: 1');
    expect(server.requests).toEqual([]);
  });

  it('asks below the path of an address, and keeps one connection for requests in a row', async () => {
    const server = await serve();
    let connections = 0;
    const http = new RegistryHttp({
      addresses: [`${server.url}/consul/`],
      credentials: {},
      tokenHeader: 'x-consul-token',
    });
    for (let turn = 0; turn < 5; turn++) {
      await http.request(ask);
      connections = Math.max(connections, server.openSockets);
    }
    expect(server.requests.map((request) => request.split('\r\n')[0])).toEqual(
      Array.from({ length: 5 }, () => 'GET /consul/v1/kv/a?recurse HTTP/1.1'),
    );
    expect(connections).toBe(1);
  });

  it('ends a request at once when the signal aborts', async () => {
    const server = await FakeServer.start(() => undefined);
    cleanups.push(() => server.stop());
    const abort = new AbortController();
    const http = new RegistryHttp({
      addresses: [server.url],
      credentials: {},
      tokenHeader: 'x-consul-token',
    });
    const request = http.request({ ...ask, deadlineMs: 60_000, signal: abort.signal });
    const failed = expect(request).rejects.toThrow();
    await expect.poll(() => server.requests.length).toBe(1);
    abort.abort();
    await failed;
    await expect.poll(() => server.openSockets).toBe(0);
  });
});
