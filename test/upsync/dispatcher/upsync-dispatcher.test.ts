import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { Readable } from 'node:stream';
import { fetch, interceptors, request } from 'undici';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Server } from '../../../src/upstream/server.ts';
import { createServer } from '../../../src/upstream/server.ts';
import type { Snapshot } from '../../../src/upstream/snapshot.ts';
import {
  UpsyncDispatcher,
  type DispatcherOptions,
} from '../../../src/upsync/dispatcher/upsync-dispatcher.ts';
import { closedAddress, startBackend, type Backend } from '../../helpers/backend.ts';

const open: { close(): Promise<unknown> }[] = [];
let backends: Backend[] = [];

beforeEach(async () => {
  backends = await Promise.all([startBackend(), startBackend(), startBackend()]);
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((thing) => thing.close()));
  await Promise.all(backends.map((backend) => backend.close()));
});

function dispatcherOf(
  servers: readonly Server[],
  options: Partial<DispatcherOptions> = {},
): UpsyncDispatcher {
  const dispatcher = new UpsyncDispatcher({ upstream: 'api', servers, balancer: { seed: 0 }, ...options });
  open.push(dispatcher);
  return dispatcher;
}

function snapshot(version: number, servers: readonly Server[]): Snapshot {
  return { upstream: 'api', version, servers, origin: { kind: 'registry', source: 'test', at: 0 } };
}

async function get(dispatcher: UpsyncDispatcher, path = '/'): Promise<string> {
  const { body } = await request(`http://api${path}`, { dispatcher });
  return body.text();
}

// A client of undici is free again one turn after its answer ended; asked earlier, its pool opens another connection.
async function getAndRest(dispatcher: UpsyncDispatcher): Promise<void> {
  await get(dispatcher);
  await new Promise((resolve) => setTimeout(resolve, 5));
}

describe('UpsyncDispatcher', () => {
  it('spreads requests as nginx does', async () => {
    const [a, b, c] = backends.map((backend) => backend.address) as [string, string, string];
    const dispatcher = dispatcherOf([createServer(a, { weight: 5 }), createServer(b), createServer(c)]);
    const answers: string[] = [];
    for (let i = 0; i < 7; i += 1) answers.push(await get(dispatcher));
    expect(answers).toEqual([a, a, b, a, c, a, a]);
  });

  it('works with fetch, and sends the host of the URL', async () => {
    let host: string | undefined;
    backends[0]!.handler = (incoming, response) => {
      host = incoming.headers.host;
      response.end('ok');
    };
    const dispatcher = dispatcherOf([createServer(backends[0]!.address)]);
    const response = await fetch('http://api.example/users', { dispatcher });
    expect([response.status, await response.text(), host]).toEqual([200, 'ok', 'api.example']);
  });

  it('goes on to the next server when one refuses connections, and stops asking it', async () => {
    const dead = await closedAddress();
    const dispatcher = dispatcherOf([
      createServer(dead, { maxFails: 1 }),
      createServer(backends[0]!.address),
    ]);
    const answers = await Promise.all(Array.from({ length: 10 }, () => get(dispatcher)));
    expect(new Set(answers)).toEqual(new Set([backends[0]!.address]));
    expect(dispatcher.servers).toHaveLength(2);
  });

  it('repeats a POST with a stream body when the first server was never reached', async () => {
    const dead = await closedAddress();
    let received = '';
    backends[0]!.handler = (incoming, response) => {
      incoming.on('data', (chunk: Buffer) => (received += chunk.toString()));
      incoming.on('end', () => response.end('stored'));
    };
    const dispatcher = dispatcherOf([createServer(dead), createServer(backends[0]!.address)]);
    const { body } = await request('http://api/', {
      dispatcher,
      method: 'POST',
      body: Readable.from(['one', 'two']),
    });
    expect([await body.text(), received]).toEqual(['stored', 'onetwo']);
  });

  it.each([
    ['GET', [], 'second'],
    ['POST', [], 'error'],
    ['POST', ['error', 'non_idempotent'], 'second'],
    ['GET', ['off'], 'error'],
  ] as const)('%s that broke after it was sent, conditions %j: %s', async (method, conditions, expected) => {
    backends[0]!.handler = (incoming) => incoming.socket.destroy();
    const nextUpstream = conditions.length === 0 ? {} : { nextUpstream: conditions };
    const dispatcher = dispatcherOf(
      [createServer(backends[0]!.address), createServer(backends[1]!.address)],
      nextUpstream,
    );
    const outcome = request('http://api/', { dispatcher, method, body: method === 'POST' ? 'x' : null }).then(
      async ({ body }) => ((await body.text()) === backends[1]!.address ? 'second' : 'first'),
      () => 'error',
    );
    expect(await outcome).toBe(expected);
  });

  it('drops an answer named in the conditions and gives the next server’s', async () => {
    backends[0]!.handler = (_incoming, response) => response.writeHead(503).end('x'.repeat(300_000));
    const servers = [createServer(backends[0]!.address), createServer(backends[1]!.address)];
    const dispatcher = dispatcherOf(servers, { nextUpstream: ['error', 'http_503'] });
    expect(await get(dispatcher)).toBe(backends[1]!.address);
    const plain = dispatcherOf(servers);
    const refused = await request('http://api/', { dispatcher: plain });
    await refused.body.dump();
    expect(refused.statusCode).toBe(503);
  });

  it('gives the last server’s answer when every one of them is named in the conditions', async () => {
    for (const backend of backends)
      backend.handler = (_incoming, response) => response.writeHead(502).end('bad');
    const dispatcher = dispatcherOf(
      backends.map(({ address }) => createServer(address)),
      { nextUpstream: ['http_502'] },
    );
    const { statusCode, body } = await request('http://api/', { dispatcher });
    expect([statusCode, await body.text(), backends.map(({ requests }) => requests)]).toEqual([
      502,
      'bad',
      [1, 1, 1],
    ]);
  });

  it('tries no more servers than nextUpstreamTries', async () => {
    const servers = [await closedAddress(), await closedAddress(), backends[0]!.address].map((address) =>
      createServer(address),
    );
    const dispatcher = dispatcherOf(servers, { nextUpstreamTries: 2 });
    await expect(get(dispatcher)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });

  it('names the upstream and what was tried when no server is left', async () => {
    await expect(get(dispatcherOf([]))).rejects.toMatchObject({ code: 'NO_LIVE_SERVER' });
    const dispatcher = dispatcherOf([createServer(backends[0]!.address, { down: true })]);
    await expect(get(dispatcher)).rejects.toThrow('GET /: upstream "api" has no live server');
  });

  it('keeps the connections to servers that stay when a list changes', async () => {
    const [a, b, c] = backends.map(({ address }) => createServer(address)) as [Server, Server, Server];
    const dispatcher = dispatcherOf([a, b]);
    for (let i = 0; i < 4; i += 1) await getAndRest(dispatcher);
    await dispatcher.apply(snapshot(1, [a, { ...b, weight: 3 }, c]));
    for (let i = 0; i < 10; i += 1) await getAndRest(dispatcher);
    expect(backends.map(({ connections }) => connections)).toEqual([1, 1, 1]);
  });

  it('lets a removed server finish what it is doing, and gives it nothing new', async () => {
    let finish: (() => void) | undefined;
    backends[0]!.handler = (_incoming, response) => {
      response.write('begun ');
      finish = () => response.end('done');
    };
    const dispatcher = dispatcherOf([createServer(backends[0]!.address)]);
    const slow = await request('http://api/', { dispatcher });
    await dispatcher.apply(snapshot(1, [createServer(backends[1]!.address)]));
    expect(await get(dispatcher)).toBe(backends[1]!.address);
    finish!();
    expect(await slow.body.text()).toBe('begun done');
    expect(backends[0]!.requests).toBe(1);
  });

  it('ignores a snapshot it already has', async () => {
    const dispatcher = dispatcherOf([]);
    const first = snapshot(1, [createServer(backends[0]!.address)]);
    await dispatcher.apply(first);
    const report = await dispatcher.apply({ ...first, servers: [] });
    expect(report).toEqual({ upstream: 'api', version: 1, workers: [{ pid: process.pid, version: 1 }] });
    expect(dispatcher.servers).toHaveLength(1);
  });

  it('loses no request while servers are restarted one by one under load', async () => {
    const ports = backends.map(({ port }) => port);
    const dispatcher = dispatcherOf(backends.map(({ address }) => createServer(address, { maxFails: 1 })));
    let ending = false;
    const counts = { ok: 0, failed: 0 };
    const client = async (): Promise<void> => {
      while (!ending)
        await get(dispatcher).then(
          () => (counts.ok += 1),
          () => (counts.failed += 1),
        );
    };
    const clients = Array.from({ length: 8 }, client);
    for (const [at, port] of ports.entries()) {
      await backends[at]!.close();
      const wanted = counts.ok + 20;
      await expect.poll(() => counts.ok, { interval: 5 }).toBeGreaterThan(wanted);
      backends[at] = await startBackend(port);
    }
    ending = true;
    await Promise.all(clients);
    expect(counts.failed).toBe(0);
  });

  it('composes with interceptors', async () => {
    backends[0]!.handler = (_incoming, response) =>
      response.writeHead(302, { location: 'http://api/there' }).end();
    backends[1]!.handler = (incoming, response) => response.end(incoming.url);
    const dispatcher = dispatcherOf([createServer(backends[0]!.address), createServer(backends[1]!.address)]);
    const composed = dispatcher.compose(interceptors.redirect({ maxRedirections: 2 }));
    const { body } = await request('http://api/here', { dispatcher: composed });
    expect(await body.text()).toBe('/there');
  });

  it('retries for handlers behind an interceptor as well', async () => {
    const dispatcher = dispatcherOf([
      createServer(await closedAddress()),
      createServer(backends[0]!.address),
    ]);
    const composed = dispatcher.compose(interceptors.dump());
    const { statusCode } = await request('http://api/', { dispatcher: composed });
    expect(statusCode).toBe(200);
  });

  it('maps a key to the same server each time', async () => {
    const dispatcher = dispatcherOf(
      backends.map(({ address }) => createServer(address)),
      { balancer: { method: 'hash_consistent', seed: 0 } },
    );
    const first = await Promise.all(['/ä', '/b', '/c', '/d'].map((path) => get(dispatcher, encodeURI(path))));
    const second = await Promise.all(
      ['/ä', '/b', '/c', '/d'].map((path) => get(dispatcher, encodeURI(path))),
    );
    expect(second).toEqual(first);
  });

  it('does not count a caller’s abort against the server', async () => {
    backends[0]!.handler = () => undefined;
    const dispatcher = dispatcherOf([
      createServer(backends[0]!.address, { maxFails: 1 }),
      createServer(backends[1]!.address),
    ]);
    const failures: unknown[] = [];
    const listener = (message: unknown): number => failures.push(message);
    subscribe('upsync:dispatcher:failure', listener);
    const aborted = request('http://api/', { dispatcher, signal: AbortSignal.timeout(50) });
    await expect(aborted).rejects.toThrow();
    unsubscribe('upsync:dispatcher:failure', listener);
    expect(failures).toEqual([]);
  });

  it('tells diagnostics channels about picks, failures and lists', async () => {
    const dead = await closedAddress();
    const events: string[] = [];
    const listener = (message: unknown, name: string | symbol): number => {
      const { server } = message as { server?: Server };
      return events.push(`${String(name)} ${server?.address ?? ''}`);
    };
    for (const name of ['upsync:dispatcher:pick', 'upsync:dispatcher:failure', 'upsync:dispatcher:list'])
      subscribe(name, listener);
    const dispatcher = dispatcherOf([]);
    await dispatcher.apply(snapshot(1, [createServer(dead), createServer(backends[0]!.address)]));
    await get(dispatcher);
    for (const name of ['upsync:dispatcher:pick', 'upsync:dispatcher:failure', 'upsync:dispatcher:list'])
      unsubscribe(name, listener);
    expect(events).toEqual([
      'upsync:dispatcher:list ',
      `upsync:dispatcher:pick ${dead}`,
      `upsync:dispatcher:failure ${dead}`,
      `upsync:dispatcher:pick ${backends[0]!.address}`,
    ]);
  });

  it('closes gracefully and refuses what comes after', async () => {
    const dispatcher = dispatcherOf([createServer(backends[0]!.address)]);
    const pending = get(dispatcher);
    const closing = dispatcher.close();
    await expect(get(dispatcher)).rejects.toMatchObject({ code: 'UND_ERR_CLOSED' });
    expect(await pending).toBe(backends[0]!.address);
    await closing;
  });

  it('destroys at once', async () => {
    backends[0]!.handler = () => undefined;
    const dispatcher = dispatcherOf([createServer(backends[0]!.address)]);
    const pending = get(dispatcher);
    await new Promise((resolve) => setTimeout(resolve, 20));
    await Promise.all([expect(pending).rejects.toThrow(), dispatcher.destroy()]);
    await expect(get(dispatcher)).rejects.toMatchObject({ code: 'UND_ERR_DESTROYED' });
  });
});
