import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Dispatcher, fetch, FormData, request } from 'undici';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { createServer } from '../../../src/upstream/server.ts';
import {
  type DispatcherOptions,
  UpsyncDispatcher,
} from '../../../src/upsync/dispatcher/upsync-dispatcher.ts';
import { type Backend, startBackend } from '../../helpers/backend.ts';

let first: Backend;
let second: Backend;
let received: string;

beforeEach(async () => {
  [first, second] = await Promise.all([startBackend(), startBackend()]);
  received = '';
  second.handler = (incoming, response) =>
    void text(incoming).then((all) => {
      received = all;
      response.end('stored');
    });
});
afterEach(() => Promise.all([first.close(), second.close()]));

function dispatcherOf(options: Partial<DispatcherOptions> = {}): UpsyncDispatcher {
  const dispatcher = new UpsyncDispatcher({
    upstream: 'api',
    servers: [createServer(first.address), createServer(second.address)],
    balancer: { seed: 0 },
    nextUpstream: ['error', 'http_503'],
    ...options,
  });
  onTestFinished(() => dispatcher.destroy());
  return dispatcher;
}

/** What the first server does once it has read the request. */
const TROUBLES: [string, Backend['handler']][] = [
  ['dies', (incoming) => void text(incoming).then(() => incoming.socket.destroy())],
  [
    'answers 503',
    (incoming, response) => void text(incoming).then(() => response.writeHead(503).end('sorry')),
  ],
];

const form = (): FormData => {
  const data = new FormData();
  data.set('name', 'Ada');
  return data;
};

async function* pieces(): AsyncGenerator<Buffer> {
  const piece = Buffer.alloc(4);
  for (const part of ['one ', 'two ', 'six ']) {
    await sleep(1);
    piece.write(part);
    yield piece;
  }
}

describe.each(TROUBLES)('when a server %s after it read the body', (_what, handler) => {
  beforeEach(() => {
    first.handler = handler;
  });

  it.each<[string, () => unknown, RegExp]>([
    ['a text', () => 'plain', /^plain$/],
    ['bytes', () => new Uint8Array([97, 98]), /^ab$/],
    ['an ArrayBuffer', () => new Uint8Array([97, 98]).buffer, /^ab$/],
    ['a Blob', () => new Blob(['blob']), /^blob$/],
    ['a FormData', () => form(), /\r\n\r\nAda\r\n/],
    ['an asynchronous iterable', () => pieces(), /^one two six $/],
  ])('request sends %s once more', async (_kind, body, expected) => {
    const options = { dispatcher: dispatcherOf(), method: 'PUT' as const, body: body() as string };
    const answer = await request('http://api/', options);
    expect([answer.statusCode, await answer.body.text()]).toEqual([200, 'stored']);
    expect(received).toMatch(expected);
  });

  it.each<[string, () => unknown, RegExp]>([
    ['a text', () => 'plain', /^plain$/],
    ['a FormData', () => form(), /\r\n\r\nAda\r\n/],
    ['a stream', () => Readable.toWeb(Readable.from(pieces())), /^one two six $/],
  ])('fetch sends %s once more', async (_kind, body, expected) => {
    const init = {
      dispatcher: dispatcherOf(),
      method: 'PUT',
      body: body() as string,
      duplex: 'half' as const,
    };
    const answer = await fetch('http://api/', init);
    expect([answer.status, await answer.text()]).toEqual([200, 'stored']);
    expect(received).toMatch(expected);
  });

  it.each<[string, Dispatcher.HttpMethod, () => unknown]>([
    ['a stream that was read', 'PUT', () => Readable.from(['read once'])],
    [
      'more than is kept',
      'PUT',
      () => Readable.toWeb(Readable.from(['x'.repeat(50_000), 'y'.repeat(50_000)])),
    ],
    ['a POST', 'POST', () => 'order'],
  ])('%s is not sent to another server, least of all without its body', async (_kind, method, body) => {
    const asked = request('http://api/', { dispatcher: dispatcherOf(), method, body: body() as string });
    const outcome = await asked.then(
      ({ statusCode }) => statusCode,
      (error: { code: string }) => error.code,
    );
    expect(['UND_ERR_SOCKET', 503]).toContain(outcome);
    expect(second.requests).toBe(0);
  });
});

it('a long body in pieces arrives whole, and is not kept', async () => {
  first.handler = (incoming, response) => void text(incoming).then((all) => response.end(String(all.length)));
  const long = async function* (): AsyncGenerator<string> {
    for (let i = 0; i < 500; i++) yield await Promise.resolve('x'.repeat(1000));
  };
  const { body } = await request('http://api/', {
    dispatcher: dispatcherOf(),
    method: 'PUT',
    body: Readable.toWeb(Readable.from(long())) as unknown as Readable,
  });
  expect(await body.text()).toBe('500000');
});

it('the source of a body in pieces is closed when nobody will read the rest', async () => {
  first.handler = (incoming) => incoming.socket.destroy();
  let closed = 0;
  const endless = async function* (): AsyncGenerator<string> {
    try {
      for (;;) {
        await sleep(2);
        yield 'x'.repeat(10_000);
      }
    } finally {
      closed += 1;
    }
  };
  const options = { method: 'PUT' as const, body: endless() as unknown as Readable };
  await expect(
    request('http://api/', { ...options, dispatcher: dispatcherOf({ nextUpstreamTries: 1 }) }),
  ).rejects.toThrow();
  await expect.poll(() => closed).toBe(1);
});

describe('what goes wrong on the caller’s side counts against no server', () => {
  const broken = (): Error => Object.assign(new Error('the client left'), { code: 'ECONNRESET' });
  const failures: unknown[] = [];
  const note = (message: unknown): unknown => failures.push(message);
  beforeEach(() => {
    failures.length = 0;
    subscribe('upsync:dispatcher:failure', note);
  });
  afterEach(() => unsubscribe('upsync:dispatcher:failure', note));

  const source = (): Readable => {
    let begun = false;
    return new Readable({
      read() {
        if (begun) this.destroy(broken());
        else this.push('half');
        begun = true;
      },
    });
  };
  it.each<[string, (dispatcher: Dispatcher) => Promise<unknown>]>([
    [
      'a stream that breaks',
      (dispatcher) => request('http://api/', { dispatcher, method: 'PUT', body: source() }),
    ],
    [
      'a stream that breaks in fetch',
      (dispatcher) =>
        fetch('http://api/', {
          dispatcher,
          method: 'PUT',
          body: Readable.toWeb(source()) as unknown as string,
          duplex: 'half',
        }),
    ],
    [
      'a stream that breaks behind an interceptor',
      (dispatcher) =>
        request('http://api/', {
          dispatcher: dispatcher.compose((dispatch) => (options, handler) => dispatch(options, handler)),
          method: 'PUT',
          body: source(),
        }),
    ],
    [
      'a signal with an error of its own',
      (dispatcher) => {
        first.handler = () => stop.abort(broken());
        const stop = new AbortController();
        return request('http://api/', { dispatcher, signal: stop.signal });
      },
    ],
  ])('%s', async (_kind, ask) => {
    await expect(ask(dispatcherOf())).rejects.toThrow();
    expect(failures).toEqual([]);
    expect(second.requests).toBe(0);
  });

  it.each([
    ['an origin that cannot be', { origin: 'ftp://api', path: '/', method: 'GET' }],
    ['no options at all', null],
  ])('%s, which is told to the handler and takes no place at a server', async (_kind, options) => {
    const dispatcher = new UpsyncDispatcher({
      upstream: 'api',
      servers: [createServer(second.address, { maxConns: 1 })],
    });
    onTestFinished(() => dispatcher.destroy());
    const error = await new Promise((resolve) =>
      dispatcher.dispatch(options as Dispatcher.DispatchOptions, {
        onResponseError: (_controller, reason) => resolve(reason),
      }),
    );
    expect(error).toMatchObject({ code: 'UND_ERR_INVALID_ARG' });
    const { statusCode, body } = await request('http://api/', { dispatcher });
    await body.dump();
    expect(statusCode).toBe(200);
  });

  it('no handler, which is an error at once, as undici has it', () => {
    const wrong = null as unknown as Dispatcher.DispatchHandler;
    const options = { origin: 'http://api', path: '/', method: 'GET' } as const;
    expect(() => dispatcherOf().dispatch(options, wrong)).toThrow('handler must be an object');
  });
});
