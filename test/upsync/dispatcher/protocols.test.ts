import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer as createHttpServer, type Server as HttpServer } from 'node:http';
import { createSecureServer, type Http2SecureServer, type Http2Session } from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import { Readable, Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { fetch, FormData, request, upgrade } from 'undici';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { createServer, type Server } from '../../../src/upstream/server.ts';
import {
  type DispatcherOptions,
  UpsyncDispatcher,
} from '../../../src/upsync/dispatcher/upsync-dispatcher.ts';
import { type Backend, closedAddress, startBackend } from '../../helpers/backend.ts';
import { scratchFolder } from '../../helpers/scratch-folder.ts';
import { createAuthority, type TestCertificate } from '../../helpers/test-certificates.ts';

let dead: string;
let backend: Backend;

beforeEach(async () => {
  dead = await closedAddress();
  backend = await startBackend();
});
afterEach(() => backend.close());

/** The first server is always asked first: a retry is part of each test that begins with a dead one. */
function dispatcherOf(addresses: readonly string[], options: Partial<DispatcherOptions> = {}) {
  const servers: readonly Server[] = addresses.map((address) => createServer(address));
  const dispatcher = new UpsyncDispatcher({ upstream: 'api', servers, balancer: { seed: 0 }, ...options });
  onTestFinished(() => dispatcher.destroy());
  return dispatcher;
}

async function listen(server: HttpServer | Http2SecureServer): Promise<string> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => sockets.add(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    if (!server.listening) return;
    server.close();
    await once(server, 'close');
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe('stream and pipeline', () => {
  it('streams an answer into a writable, from the next server when the first is dead', async () => {
    const dispatcher = dispatcherOf([dead, backend.address]);
    const chunks: string[] = [];
    const answer = await dispatcher.stream(
      { origin: 'http://api', path: '/', method: 'GET', opaque: { chunks } },
      ({ statusCode }) => {
        expect(statusCode).toBe(200);
        return new Writable({
          write(chunk: Buffer, _encoding, done) {
            chunks.push(chunk.toString());
            done();
          },
        });
      },
    );
    expect(answer.opaque).toEqual({ chunks: [backend.address] });
  });

  it('pipes a body through a server, from the next one when the first is dead', async () => {
    backend.handler = (incoming, response) => void incoming.pipe(response);
    const dispatcher = dispatcherOf([dead, backend.address]);
    const through = dispatcher.pipeline(
      { origin: 'http://api', path: '/', method: 'PUT' },
      ({ body }) => body,
    );
    const parts = Array.from({ length: 100 }, (_, at) => `line ${at}\n`);
    const read = text(through);
    await pipeline(Readable.from(parts), through);
    expect(await read).toBe(parts.join(''));
  });
});

describe('upgrade and CONNECT', () => {
  it('hands over the socket of an upgrade', async () => {
    const server = createHttpServer();
    server.on('upgrade', (_incoming, socket: Socket) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n');
      socket.pipe(socket);
    });
    const dispatcher = dispatcherOf([dead, await listen(server)]);
    const { socket, headers } = await upgrade('http://api/chat', { dispatcher, protocol: 'echo' });
    expect(headers.upgrade).toBe('echo');
    socket.write('hello');
    const [said] = (await once(socket, 'data')) as [Buffer];
    expect(said.toString()).toBe('hello');
    socket.end();
    await once(socket, 'close');
  });

  it('opens a tunnel with CONNECT', async () => {
    const server = createHttpServer();
    server.on('connect', (incoming, socket: Socket) => {
      socket.write('HTTP/1.1 200 Connected\r\n\r\n');
      socket.write(`tunnel to ${incoming.url}`);
    });
    const dispatcher = dispatcherOf([dead, await listen(server)]);
    const { socket, statusCode } = await dispatcher.connect({
      origin: 'http://api',
      path: 'database.example:5432',
    });
    expect(statusCode).toBe(200);
    const [said] = (await once(socket, 'data')) as [Buffer];
    expect(said.toString()).toBe('tunnel to database.example:5432');
    socket.destroy();
  });
});

describe('bodies of fetch', () => {
  const form = (): FormData => {
    const data = new FormData();
    data.set('name', 'Ada');
    data.set('file', new Blob(['x'.repeat(200_000)]), 'x.txt');
    return data;
  };
  it.each([
    ['a FormData', (): FormData => form(), /name="name"\r\n\r\nAda\r\n/, 200_000],
    ['a text', () => 'plain', /^plain$/, 0],
    ['a Blob', () => new Blob(['bytes']), /^bytes$/, 0],
    ['URL parameters', () => new URLSearchParams({ a: '1' }), /^a=1$/, 0],
    ['a stream', () => new Blob(['flow']).stream() as ReadableStream<Uint8Array>, /^flow$/, 0],
  ])('%s arrives whole at the next server when the first is dead', async (_what, body, expected, least) => {
    let received = '';
    backend.handler = (incoming, response) =>
      void text(incoming).then((all) => {
        received = all;
        response.end('stored');
      });
    const dispatcher = dispatcherOf([dead, backend.address]);
    const response = await fetch('http://api/upload', {
      method: 'POST',
      body: body() as FormData,
      duplex: 'half',
      dispatcher,
    });
    expect([response.status, await response.text()]).toEqual([200, 'stored']);
    expect(received).toMatch(expected);
    expect(received.length).toBeGreaterThan(least);
  });
});

describe('Node’s own fetch, which brings an undici of its own', () => {
  it('takes the dispatcher, and a dead first server as well', async () => {
    backend.handler = (incoming, response) => void incoming.pipe(response);
    const dispatcher = dispatcherOf([dead, backend.address]);
    const init: object = { method: 'POST', body: 'hello', dispatcher };
    const response = await globalThis.fetch('http://api/', init);
    expect([response.status, await response.text()]).toEqual([200, 'hello']);
  });
});

describe('HTTP/2', () => {
  let authority: { ca: string; issue(subject: string, altName: string): Promise<TestCertificate> };

  const running = new Map<string, ReadonlySet<Http2Session>>();

  async function startH2(name: string, answer?: (path: string) => string | Promise<string>): Promise<string> {
    const { cert, key } = await authority.issue(name, 'DNS:api.test');
    const server = createSecureServer({ cert: await readFile(cert), key: await readFile(key) });
    server.on('stream', (stream, headers) => {
      stream.on('error', () => undefined);
      void text(stream).then(async (body) => {
        const said = await answer?.(String(headers[':path']));
        stream.respond({ ':status': 200, 'x-authority': headers[':authority'] });
        stream.end(said ?? `${name} ${headers[':method']} ${body}`.trim());
      });
    });
    const sessions = new Set<Http2Session>();
    server.on('session', (session) => sessions.add(session));
    const address = await listen(server);
    running.set(address, sessions);
    return address;
  }
  /** Ends a server as a deployment does that loses its patience: no new streams, and a little later no connections. */
  async function shutDown(address: string): Promise<void> {
    for (const session of running.get(address)!) session.close();
    await sleep(20);
    for (const session of running.get(address)!) session.destroy();
  }
  async function h2Dispatcher(addresses: readonly string[]): Promise<UpsyncDispatcher> {
    const ca = await readFile(authority.ca, 'utf8');
    return dispatcherOf(addresses, { pool: { allowH2: true, connect: { ca } } });
  }
  beforeEach(async () => {
    authority = await createAuthority(scratchFolder(), 'authority');
  });

  it('balances over servers that speak h2, with the name of the URL in SNI and :authority', async () => {
    const dispatcher = await h2Dispatcher([dead, await startH2('one'), await startH2('two')]);
    const answers: string[] = [];
    for (let at = 0; at < 6; at += 1) {
      const { body, headers } = await request('https://api.test/', { dispatcher });
      expect(headers['x-authority']).toBe('api.test');
      answers.push(await body.text());
    }
    expect(new Set(answers)).toEqual(new Set(['one GET', 'two GET']));
  });

  it('sends bodies, many at once, with request and with fetch', async () => {
    const dispatcher = await h2Dispatcher([await startH2('one'), await startH2('two')]);
    const answers = await Promise.all(
      Array.from({ length: 20 }, async (_, at) => {
        const init = { method: 'POST', body: `body ${at}`, dispatcher };
        if (at % 2 === 0) return (await fetch('https://api.test/', init)).text();
        const { body } = await request('https://api.test/', { ...init, method: 'POST' });
        return body.text();
      }),
    );
    for (const [at, answer] of answers.entries()) expect(answer).toMatch(new RegExp(`POST body ${at}$`));
  });

  it('asks the next server for what one that shuts down did not begin to answer', async () => {
    let asked = 0;
    const first = await startH2('one', () => {
      asked += 1;
      return new Promise(() => undefined);
    });
    const dispatcher = await h2Dispatcher([first, await startH2('two')]);
    const answers = Array.from({ length: 6 }, async () => {
      const { body } = await request('https://api.test/', { dispatcher });
      return body.text();
    });
    await vi.waitFor(() => expect(asked).toBe(3));
    await shutDown(first);
    expect(await Promise.all(answers)).toEqual(Array(6).fill('two GET'));
  });

  it('refuses a server whose certificate is not for the name of the URL', async () => {
    const dispatcher = await h2Dispatcher([await startH2('one')]);
    await expect(request('https://other.test/', { dispatcher })).rejects.toMatchObject({
      code: 'ERR_TLS_CERT_ALTNAME_INVALID',
    });
  });

  it('falls back to HTTP/1.1 where a server does not speak h2', async () => {
    const dispatcher = dispatcherOf([backend.address], { pool: { allowH2: true } });
    const { body } = await request('http://api/', { dispatcher });
    expect(await body.text()).toBe(backend.address);
  });
});
