import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import {
  createSecureServer,
  type Http2SecureServer,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { request } from 'undici';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createServer } from '../../../src/upstream/server.ts';
import { finishOnGoaway } from '../../../src/upsync/dispatcher/h2-goaway.ts';
import { UpsyncDispatcher } from '../../../src/upsync/dispatcher/upsync-dispatcher.ts';
import { scratchFolder } from '../../helpers/scratch-folder.ts';
import { createAuthority } from '../../helpers/test-certificates.ts';

/** Far more than a stream may send before somebody reads it. */
const LONG = 'x'.repeat(1_000_000);

/** An h2 server that keeps each request until the test answers it. */
class PatientServer {
  readonly waiting: ServerHttp2Stream[] = [];
  /** When set, it is no longer patient. */
  answersWith: string | undefined;
  readonly #server: Http2SecureServer;
  readonly #sessions = new Set<ServerHttp2Session>();
  readonly #sockets = new Set<Socket>();

  constructor(cert: Buffer, key: Buffer) {
    this.#server = createSecureServer({ cert, key });
    this.#server.on('connection', (socket: Socket) => this.#sockets.add(socket));
    this.#server.on('session', (session) => this.#sessions.add(session));
    this.#server.on('stream', (stream) => {
      stream.on('error', () => undefined).resume();
      if (this.answersWith === undefined) this.waiting.push(stream);
      else answer(stream, this.answersWith);
    });
  }

  async listen(): Promise<string> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Resolves when so many requests are here, unanswered. */
  async has(count: number): Promise<void> {
    await expect.poll(() => this.waiting.length, { interval: 2 }).toBe(count);
  }

  /** Says GOAWAY; resolves when all connections are gone. */
  async shutDown(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const session of this.#sessions) session.close();
    await closed;
  }

  hangUp(): void {
    for (const socket of this.#sockets) socket.destroy();
  }
}

function answer(stream: ServerHttp2Stream, text: string): void {
  stream.respond({ ':status': 200 });
  stream.end(text);
}

let first: PatientServer;
let second: PatientServer;
let dispatcher: UpsyncDispatcher;

beforeEach(async () => {
  const authority = await createAuthority(scratchFolder(), 'authority');
  const issued = await authority.issue('server', 'DNS:api.test');
  const [cert, key, ca] = await Promise.all(
    [issued.cert, issued.key, authority.ca].map((file) => readFile(file)),
  );
  first = new PatientServer(cert!, key!);
  second = new PatientServer(cert!, key!);
  const addresses = [await first.listen(), await second.listen()];
  dispatcher = new UpsyncDispatcher({
    upstream: 'api',
    servers: addresses.map((address) => createServer(address)),
    balancer: { seed: 0 },
    pool: { allowH2: true, connect: { ca: ca! } },
  });
});
afterEach(async () => {
  await dispatcher.destroy();
  for (const server of [first, second]) server.hangUp();
});

function ask(method: 'GET' | 'POST' = 'GET', body?: string | Readable) {
  const all = { dispatcher, method, ...(body !== undefined && { body }) };
  return request('https://api.test/', all);
}

/** Asks once at each server, so that both have a connection, and answers. */
async function warmUp(): Promise<void> {
  const both = [ask(), ask()];
  for (const server of [first, second]) {
    await server.has(1);
    answer(server.waiting.pop()!, 'warm');
  }
  for (const { body } of await Promise.all(both)) await body.text();
}

describe('a server that says GOAWAY', () => {
  it('finishes an answer that had not begun, and gets nothing new', async () => {
    await warmUp();
    const old = ask('POST', 'order');
    await first.has(1);
    const gone = first.shutDown();
    await sleep(20);
    second.answersWith = 'second';
    const later = [ask('POST', 'order'), ask('POST', 'order')];
    for (const { body } of await Promise.all(later)) expect(await body.text()).toBe('second');
    answer(first.waiting[0]!, 'first');
    expect(await (await old).body.text()).toBe('first');
    await gone;
    expect(first.waiting).toHaveLength(1);
  });

  it('finishes an answer that nobody reads for a while, and then the connection is gone', async () => {
    await warmUp();
    const asked = ask();
    await first.has(1);
    answer(first.waiting[0]!, LONG);
    const { body } = await asked;
    const gone = first.shutDown();
    await sleep(50);
    expect((await body.text()).length).toBe(LONG.length);
    await gone;
  });

  it('and then hangs up leaves what it had not begun to answer to the next server, and the rest fails at once', async () => {
    await warmUp();
    const begun = ask();
    await first.has(1);
    first.waiting[0]!.respond({ ':status': 200 });
    first.waiting[0]!.write('half');
    const { body } = await begun;
    const passed = ask();
    await second.has(1);
    answer(second.waiting.pop()!, 'second');
    await (await passed).body.text();
    const open = ask();
    await first.has(2);
    void first.shutDown();
    await sleep(20);
    first.hangUp();
    await second.has(1);
    answer(second.waiting[0]!, 'taken over');
    expect(await (await open).body.text()).toBe('taken over');
    await expect(body.text()).rejects.toThrow();
  });

  it('while nothing is under way costs the next requests nothing', async () => {
    await warmUp();
    await first.shutDown();
    second.answersWith = 'second';
    for (let i = 0; i < 3; i++) expect(await (await ask('POST', 'order')).body.text()).toBe('second');
  });

  it('is waited for by close()', async () => {
    await warmUp();
    const asked = ask();
    await first.has(1);
    const gone = first.shutDown();
    await sleep(20);
    let closed = false;
    const closing = dispatcher.close().then(() => (closed = true));
    await sleep(20);
    expect(closed).toBe(false);
    answer(first.waiting[0]!, 'first');
    expect(await (await asked).body.text()).toBe('first');
    await closing;
    await gone;
  });
});

it('destroy() does not wait for a server that said GOAWAY', async () => {
  await warmUp();
  const asked = ask();
  await first.has(1);
  const gone = first.shutDown();
  await sleep(20);
  const failing = expect(asked).rejects.toMatchObject({ code: 'UND_ERR_DESTROYED' });
  await dispatcher.destroy();
  await failing;
  await gone;
});

it('undici is left alone where it keeps its connection elsewhere', () => {
  let left = 0;
  finishOnGoaway({}, () => (left += 1));
  finishOnGoaway({ [Symbol('http context')]: { version: 'h1' } }, () => (left += 1));
  expect(left).toBe(0);
});
