import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createServer } from '../../../../src/upstream/server.ts';
import { type Backend, closedAddress, startBackend } from '../../../helpers/backend.ts';
import { until } from '../../../helpers/lua-nginx.ts';
import { ProxyFixture } from '../../../helpers/lua-upstream.ts';

describe('what two workers know of each other', () => {
  let backends: Backend[];
  let a: string;
  let b: string;
  let proxy: ProxyFixture;

  beforeAll(async () => {
    backends = [await startBackend(), await startBackend()];
    [a, b] = backends.map((backend) => backend.address) as [string, string];
    proxy = await ProxyFixture.start({
      workers: 2,
      listen: 'reuseport',
      // Which worker answers is seen in a header, so that a test can go on until both did.
      location: 'add_header x-worker $pid always;',
    });
  });
  afterAll(async () => {
    await proxy?.stop();
    for (const backend of backends) await backend.close();
  });

  const ask = async () => {
    const response = await fetch(proxy.nginx.url, { headers: { connection: 'close' } });
    return { status: response.status, body: await response.text(), worker: response.headers.get('x-worker') };
  };

  /** Requests to the backend wait until the function that is added for each is called. */
  const hold = (backend: Backend) => {
    const waiting: (() => void)[] = [];
    backend.handler = (_request, response) => waiting.push(() => response.end('done'));
    return waiting;
  };

  it('never exceeds max_conns in all, and uses all of it', async () => {
    const waiting = hold(backends[0]!);
    await proxy.put(createServer(a, { maxConns: 6 }));
    const answers = Array.from({ length: 40 }, ask);
    await expect.poll(() => waiting.length).toBe(6);
    let rest = 0;
    for (const answer of answers) void answer.then(({ status }) => (rest += status === 502 ? 1 : 0));
    await expect.poll(() => rest).toBe(34);
    expect(waiting).toHaveLength(6);
    for (const finish of waiting) finish();
    const workers = new Set((await Promise.all(answers)).map(({ worker }) => worker));
    expect(workers.size).toBe(2);
    backends[0]!.handler = undefined;
    expect((await ask()).status).toBe(200);
  });

  it('forgets the requests of a worker that was killed', async () => {
    const waiting = hold(backends[0]!);
    await proxy.put(createServer(a, { maxConns: 8 }));
    const answers = Array.from({ length: 8 }, () => ask().catch(() => undefined));
    await expect.poll(() => waiting.length).toBe(8);
    const before = proxy.nginx.workerPids();
    for (const pid of before) process.kill(pid, 'SIGKILL');
    await until(() => {
      const now = proxy.nginx.workerPids();
      return now.length === 2 && now.every((pid) => !before.includes(pid));
    });
    await Promise.all(answers);
    // A worker forgets its predecessor's requests as it starts; the process is there a moment earlier.
    await expect
      .poll(async () => (await proxy.target.state()).workers.every(({ pid }) => !before.includes(pid)))
      .toBe(true);
    const anew = hold(backends[0]!);
    const others = Array.from({ length: 8 }, ask);
    await expect.poll(() => anew.length).toBe(8);
    expect((await ask()).status).toBe(502);
    for (const finish of anew) finish();
    expect((await Promise.all(others)).map(({ status }) => status)).toEqual(Array(8).fill(200));
  });

  it('passes a dead server over in all workers once one of them found it dead', async () => {
    const dead = await closedAddress();
    await proxy.put();
    await proxy.put(createServer(dead, { maxFails: 2, failTimeoutMs: 60_000 }), b);
    const workers = new Set<string | null>();
    for (let i = 0; i < 60 || workers.size < 2; i++) workers.add((await ask()).worker);
    const failures = proxy.nginx.errors().match(new RegExp(`connect.. failed.*http://${dead}/`, 'g'));
    expect(failures).toHaveLength(2);
  });
});

describe('max_conns over four workers', () => {
  let backend: Backend;
  let proxy: ProxyFixture;
  let waiting: (() => void)[] = [];
  let most = 0;

  beforeAll(async () => {
    backend = await startBackend();
    let atOnce = 0;
    backend.handler = (_request, response) => {
      atOnce += 1;
      most = Math.max(most, atOnce);
      waiting.push(() => {
        atOnce -= 1;
        response.end('done');
      });
    };
    proxy = await ProxyFixture.start({ workers: 4, listen: 'reuseport' });
  });
  afterAll(async () => {
    await proxy?.stop();
    await backend?.close();
  });

  it('gives the last place to exactly one of those that ask for it at once', async () => {
    await proxy.put(createServer(backend.address, { maxConns: 1 }));
    // A connection each, so that the requests are at their workers in the same moment.
    const clients = Array.from({ length: 8 }, () => new Client(proxy.nginx.url));
    const taken: number[] = [];
    for (let round = 0; round < 150; round++) {
      waiting = [];
      let refused = 0;
      const answers = clients.map((client) =>
        client.request({ path: '/', method: 'GET' }).then(async ({ statusCode, body }) => {
          await body.dump();
          if (statusCode === 502) refused += 1;
        }),
      );
      await until(() => waiting.length + refused === clients.length);
      taken.push(waiting.length);
      for (const finish of waiting) finish();
      await Promise.all(answers);
      // nginx ends a request a moment after its client has the answer.
      await sleep(2);
    }
    expect(taken).toEqual(Array(150).fill(1));
    for (const client of clients) await client.close();
  });

  it('never exceeds it under load, and gives every place back', async () => {
    await proxy.put(createServer(backend.address, { maxConns: 5 }));
    most = 0;
    waiting = [];
    const clients = Array.from({ length: 24 }, () => new Client(proxy.nginx.url));
    const statuses = new Map<number, number>();
    const end = performance.now() + 1500;
    // All five places have to be taken before some are given back.
    const answer = setInterval(() => {
      if (waiting.length >= 5 || performance.now() > end) waiting.splice(0, 3).forEach((finish) => finish());
    }, 1);
    await Promise.all(
      clients.map(async (client) => {
        while (performance.now() < end) {
          const { statusCode, body } = await client.request({ path: '/', method: 'GET' });
          await body.dump();
          statuses.set(statusCode, (statuses.get(statusCode) ?? 0) + 1);
        }
      }),
    );
    clearInterval(answer);
    for (const client of clients) await client.close();
    expect([...statuses.keys()].sort()).toEqual([200, 502]);
    expect(most).toBe(5);
    waiting = [];
    await sleep(20);
    const held = Array.from({ length: 5 }, () => proxy.get());
    await expect.poll(() => waiting.length).toBe(5);
    for (const finish of waiting) finish();
    expect((await Promise.all(held)).map(({ status }) => status)).toEqual(Array(5).fill(200));
  });
});

describe('methods over two workers', () => {
  // The key of `bounded_hash` may stand for either server: once the other has its share too, both are allowed.
  it.each([
    ['least_conn', 8],
    ['random_two_least_conn', 8],
    ['ewma', 8],
    ['bounded_hash', 3],
  ] as const)('%s knows the requests of the other worker', async (method, count) => {
    const backends = [await startBackend(), await startBackend()];
    const [busy, idle] = backends as [Backend, Backend];
    for (const backend of backends)
      backend.handler = (_request, response) => setTimeout(() => response.end(), 10);
    const proxy = await ProxyFixture.start({
      workers: 2,
      listen: 'reuseport',
      method,
      servers: backends.map(({ address }) => createServer(address)),
      ...(method === 'bounded_hash' && { hashKey: 'one' }),
      location: 'add_header x-worker $pid always;',
    });
    const clients: Client[] = [];
    try {
      const byWorker = new Map<string, Client[]>();
      while (byWorker.size < 2 || [...byWorker.values()].some((own) => own.length < 8)) {
        const client = new Client(proxy.nginx.url);
        clients.push(client);
        const { headers, body } = await client.request({ path: '/', method: 'GET' });
        await body.dump();
        const worker = String(headers['x-worker']);
        byWorker.set(worker, [...(byWorker.get(worker) ?? []), client]);
      }
      const [first, second] = [...byWorker.values()] as [Client[], Client[]];
      const finish: (() => void)[] = [];
      for (const backend of backends) {
        backend.requests = 0;
        backend.handler = (_request, response) => finish.push(() => response.end());
      }
      const ask = (client: Client) =>
        client.request({ path: '/', method: 'GET' }).then(({ body }) => body.dump());
      await proxy.put(busy.address);
      const answers = first.slice(0, 8).map(ask);
      await expect.poll(() => finish.length).toBe(8);
      await proxy.put(busy.address, idle.address);
      // Counts of the other worker are those of its last tick.
      await sleep(100);
      for (const client of second.slice(0, count)) {
        answers.push(ask(client));
        const before = finish.length;
        await expect.poll(() => finish.length).toBe(before + 1);
      }
      expect([busy.requests, idle.requests]).toEqual([8, count]);
      for (const end of finish) end();
      await Promise.all(answers);
    } finally {
      for (const client of clients) await client.destroy();
      await proxy.stop();
      for (const backend of backends) await backend.close();
    }
  });

  it('random spreads the requests of each worker by weight', async () => {
    const backends = [await startBackend(), await startBackend()];
    const [light, heavy] = backends.map(({ address }) => address) as [string, string];
    const proxy = await ProxyFixture.start({
      workers: 2,
      listen: 'reuseport',
      method: 'random',
      servers: [createServer(light), createServer(heavy, { weight: 3 })],
      location: 'add_header x-worker $pid always;',
    });
    const perWorker = new Map<string | null, string[]>();
    try {
      for (let i = 0; i < 800; i++) {
        const response = await fetch(proxy.nginx.url, { headers: { connection: 'close' } });
        const worker = response.headers.get('x-worker');
        perWorker.set(worker, [...(perWorker.get(worker) ?? []), await response.text()]);
      }
    } finally {
      await proxy.stop();
      for (const backend of backends) await backend.close();
    }
    expect(perWorker.size).toBe(2);
    for (const answers of perWorker.values()) {
      const share = answers.filter((address) => address === heavy).length / answers.length;
      expect(share).toBeGreaterThan(0.6);
      expect(share).toBeLessThan(0.9);
    }
  });
});
