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

describe('least_conn over two workers', () => {
  it('sends a request to the server that has fewer in all', async () => {
    const backends = [await startBackend(), await startBackend()];
    const proxy = await ProxyFixture.start({
      workers: 2,
      listen: 'reuseport',
      method: 'least_conn',
      servers: backends.map((backend) => createServer(backend.address)),
    });
    try {
      const finish: (() => void)[] = [];
      for (const backend of backends)
        backend.handler = (_request, response) => finish.push(() => response.end(backend.address));
      const answers: Promise<unknown>[] = [];
      for (let i = 0; i < 20; i++) {
        answers.push(proxy.get());
        await expect.poll(() => finish.length).toBe(i + 1);
        // Counts of the other worker are those of its last tick.
        await new Promise((resolve) => setTimeout(resolve, 25));
      }
      expect(backends.map(({ requests }) => requests)).toEqual([10, 10]);
      for (const end of finish) end();
      await Promise.all(answers);
    } finally {
      await proxy.stop();
      for (const backend of backends) await backend.close();
    }
  });
});
