import { afterEach, describe, expect, it } from 'vitest';
import { openSource } from '../../src/discovery/open.ts';
import { RegistryHttp } from '../../src/discovery/http.ts';
import { FakeServer, httpReply, type RawAnswer } from '../helpers/fake-server.ts';
import { ListReader, summary } from '../helpers/reading-lists.ts';
import { sourceOptions } from '../helpers/source-options.ts';

const GOOD = JSON.stringify([
  { Key: 'upstreams/test/10.0.0.1:80', Value: null },
  { Key: 'upstreams/test/10.0.0.2:80', Value: Buffer.from('{"weight":3}').toString('base64') },
]);

const open: { stop(): Promise<unknown> }[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.stop().catch(() => undefined);
});

async function serve(answer: RawAnswer): Promise<FakeServer> {
  const server = await FakeServer.start(answer);
  open.push(server);
  return server;
}

function read(addresses: readonly string[], timeoutMs = 60_000, intervalMs = 5000): ListReader {
  const options = {
    type: 'consul',
    path: '/v1/kv/upstreams/test/',
    addresses,
    timeoutMs,
    intervalMs,
  } as const;
  const reader = new ListReader(openSource(sourceOptions(options)));
  open.push(reader);
  return reader;
}

describe('a Consul source that is told something wrong', () => {
  it.each([
    ['500', httpReply('No cluster leader', { status: '500 Internal Server Error' }), 'SOURCE_STATUS'],
    ['503 with the phrase OK', httpReply(GOOD, { status: '503 OK' }), 'SOURCE_BUSY'],
    ['429', httpReply('', { status: '429 Too Many Requests' }), 'SOURCE_BUSY'],
    ['403', httpReply('Permission denied', { status: '403 Forbidden' }), 'SOURCE_DENIED'],
    [
      '301',
      httpReply('', { status: '301 Moved', headers: ['Location: http://127.0.0.1:1/'] }),
      'SOURCE_STATUS',
    ],
    ['404 without an index', httpReply('', { status: '404 Not Found', index: '' }), 'SOURCE_STATUS'],
    ['201', httpReply(GOOD, { status: '201 Created' }), 'SOURCE_STATUS'],
    ['an empty body', httpReply(''), 'SOURCE_BAD_REPLY'],
    ['truncated JSON', httpReply(GOOD.slice(0, -20)), 'SOURCE_BAD_REPLY'],
    ['HTML', httpReply('<html><body>Bad gateway</body></html>'), 'SOURCE_BAD_REPLY'],
    ['an object', httpReply('{}'), 'SOURCE_BAD_REPLY'],
    ['a list of something else', httpReply('[{"ID":"x","Node":"n"},5]'), 'SOURCE_WRONG_TYPE'],
    ['no HTTP', 'SSH-2.0-OpenSSH_9.2\r\n\r\n', 'SOURCE_UNREACHABLE'],
    [
      'two contradicting lengths',
      `HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n[]`,
      'SOURCE_UNREACHABLE',
    ],
  ])('throws for %s and leaves the list alone', async (_name, bytes, code) => {
    const server = await serve((_request, socket) => socket.write(bytes));
    await expect(read([server.url]).next()).rejects.toMatchObject({ code });
  });

  it.each([
    ['an empty reason phrase', httpReply(GOOD, { status: '200 ' })],
    ['another reason phrase', httpReply(GOOD, { status: '200 FINE' })],
    ['JSON followed by garbage', httpReply(`${GOOD}\u0000garbage]`)],
    ['an index header in lower case', httpReply(GOOD, { index: '', headers: ['x-consul-index: 5'] })],
    [
      'forty headers',
      httpReply(GOOD, { headers: Array.from({ length: 40 }, (_, n) => `X-Extra-${n}: ${'v'.repeat(100)}`) }),
    ],
    [
      'many small chunks',
      `HTTP/1.1 200 OK\r\nX-Consul-Index: 5\r\nTransfer-Encoding: chunked\r\n\r\n${[...GOOD].map((c) => `1\r\n${c}\r\n`).join('')}0\r\n\r\n`,
    ],
    ['no length, ended by closing', `HTTP/1.0 200 OK\r\nX-Consul-Index: 5\r\n\r\n${GOOD}`],
  ])('takes a list with %s', async (_name, bytes) => {
    const server = await serve((request, socket) => {
      if (request.includes('index=')) return;
      socket.write(bytes);
      if (bytes.startsWith('HTTP/1.0')) socket.end();
    });
    expect(summary(await read([server.url]).next())).toEqual(['10.0.0.1:80', '10.0.0.2:80*3']);
  });

  it('throws when the connection is reset in the middle of a list', async () => {
    const server = await serve((_request, socket) => {
      socket.write(httpReply(GOOD).slice(0, -30));
      setTimeout(() => socket.resetAndDestroy(), 10);
    });
    await expect(read([server.url]).next()).rejects.toMatchObject({ code: 'SOURCE_UNREACHABLE' });
  });

  it('gives up a silent or dripping connection at its deadline, and frees it', async () => {
    for (const drip of [false, true]) {
      const server = await serve((_request, socket) => {
        socket.write('HTTP/1.1 200 OK\r\nX-Consul-Index: 5\r\nContent-Length: 1000\r\n\r\n[');
        if (!drip) return;
        const timer = setInterval(() => socket.write(' '), 20);
        socket.on('close', () => {
          clearInterval(timer);
        });
      });
      await expect(read([server.url], 250).next()).rejects.toMatchObject({ code: 'SOURCE_TIMEOUT' });
      await expect.poll(() => server.openSockets).toBe(0);
    }
  });

  it('notices a half-open long poll', async () => {
    const server = await serve((request, socket) => {
      if (!request.includes('index=')) socket.write(httpReply(GOOD));
    });
    const reader = read([server.url], 300);
    await reader.next();
    await expect(reader.next()).rejects.toMatchObject({ code: 'SOURCE_TIMEOUT' });
  });

  it('does not read a reply that is larger than any list', async () => {
    const server = await serve((_request, socket) => {
      socket.write('HTTP/1.1 200 OK\r\nX-Consul-Index: 5\r\nTransfer-Encoding: chunked\r\n\r\n');
      const timer = setInterval(() => socket.write(`400\r\n${'x'.repeat(1024)}\r\n`), 1);
      socket.on('close', () => {
        clearInterval(timer);
      });
    });
    const http = new RegistryHttp({
      addresses: [server.url],
      credentials: {},
      tokenHeader: 'x-consul-token',
      maxBytes: 5_000,
    });
    const { signal } = new AbortController();
    const request = http.request({ path: '/', deadlineMs: 5_000, signal });
    await expect(request).rejects.toMatchObject({ code: 'SOURCE_TOO_LARGE' });
    await expect.poll(() => server.openSockets).toBe(0);
  });

  it('slows down when the same index comes back at once', async () => {
    const server = await serve((_request, socket) => socket.write(httpReply(GOOD)));
    const reader = read([server.url]);
    await reader.next();
    expect(await reader.isQuiet(300)).toBe(true);
    expect(server.requests.length).toBeLessThanOrEqual(22);
  });

  it('slows down when the index runs while the list stays', async () => {
    const server = await serve((_request, socket, number) =>
      socket.write(httpReply(GOOD, { index: String(number) })),
    );
    const reader = read([server.url]);
    await reader.next();
    expect(await reader.isQuiet(300)).toBe(true);
    expect(server.requests.length).toBeLessThanOrEqual(23);
  });

  it('asks at the interval when replies carry no index', async () => {
    let weight = 1;
    const server = await serve((_request, socket) => {
      const Value = Buffer.from(JSON.stringify({ weight })).toString('base64');
      socket.write(httpReply(JSON.stringify([{ Key: 'upstreams/test/10.0.0.1:80', Value }]), { index: '' }));
    });
    const reader = read([server.url], 60_000, 40);
    expect(summary(await reader.next())).toEqual(['10.0.0.1:80']);
    weight = 2;
    expect(summary(await reader.next())).toEqual(['10.0.0.1:80*2']);
    expect(server.requests.some((request) => request.includes('index='))).toBe(false);
  });
});

describe('several addresses', () => {
  it('goes on to the next one that answers, and stays there', async () => {
    const dead = await FakeServer.start(() => undefined);
    const deadUrl = dead.url;
    await dead.stop();
    const busy = await serve((_request, socket) => socket.write(httpReply('', { status: '500 No leader' })));
    const good = await serve((request, socket) => {
      const index = /index=(\d+)/.exec(request)?.[1];
      if (index === undefined) socket.write(httpReply(GOOD));
      else if (index === '5') socket.write(httpReply('[]', { index: '6' }));
    });
    const reader = read([deadUrl, busy.url, good.url]);
    expect((await reader.next()).servers).toHaveLength(2);
    expect((await reader.next()).servers).toHaveLength(0);
    expect([busy.requests.length, good.requests.length]).toEqual([1, 2]);
  });

  it('throws what the last one said when none answers', async () => {
    const busy = await serve((_request, socket) =>
      socket.write(httpReply('No cluster leader', { status: '500 No' })),
    );
    const error = await read([busy.url, busy.url])
      .next()
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'SOURCE_STATUS', status: 500 });
    expect((error as Error).message).toContain('/v1/kv/upstreams/test/ answered 500: No cluster leader');
    expect(busy.requests).toHaveLength(2);
  });
});
