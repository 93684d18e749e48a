import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createServer } from '../../src/upstream/server.ts';
import type { Snapshot } from '../../src/upstream/snapshot.ts';
import { Delivery } from '../../src/upsync/deliver.ts';
import type { Target } from '../../src/upsync/target.ts';
import { MemoryTarget } from '../../src/upsync/targets/memory.ts';
import { FakeNginx, FakeTarget } from '../helpers/fake-target.ts';
import { recordingLogger } from '../helpers/recording-logger.ts';

const list = (upstream: string, version: number): Snapshot => ({
  upstream,
  version,
  servers: [createServer(`10.0.0.${version}:80`)],
  origin: { kind: 'registry', source: 'test', at: 0 },
});

let logger: ReturnType<typeof recordingLogger>;
const open: Delivery[] = [];
function deliver(target: Target): Delivery {
  const delivery = new Delivery(target, { logger, random: () => 0.999 });
  open.push(delivery);
  return delivery;
}

beforeEach(() => {
  vi.useFakeTimers();
  logger = recordingLogger();
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((delivery) => delivery.close()));
  vi.useRealTimers();
});
const turn = (ms = 0) => vi.advanceTimersByTimeAsync(ms);

describe('delivering', () => {
  test('many upstreams that change in one moment go in one batch', async () => {
    const target = new FakeNginx();
    const delivery = deliver(target);
    for (let i = 0; i < 100; i++) delivery.put(list(`u${i}`, 1));
    await turn();
    expect(target.calls).toHaveLength(1);
    expect(target.lists.size).toBe(100);
    expect(delivery.status('u7')).toEqual({
      target: 'fake target',
      wanted: 1,
      delivered: 1,
      workers: [
        { pid: 11, version: 1 },
        { pid: 12, version: 1 },
      ],
      error: undefined,
    });
  });

  test('thousands go in several batches, so that none is long', async () => {
    const target = new FakeNginx();
    const delivery = deliver(target);
    for (let i = 0; i < 6500; i++) delivery.put(list(`u${i}`, 1));
    await turn(50);
    expect(target.lists.size).toBe(6500);
    expect(Math.max(...target.calls.map((call) => call.length))).toBeLessThanOrEqual(512);
  });

  test('a long list rests before the next one, so that a burst does not keep the workers busy', async () => {
    const target = new FakeNginx();
    const delivery = deliver(target);
    const servers = Array.from({ length: 5000 }, (_, at) => createServer(`10.0.${at >> 8}.${at & 255}:80`));
    for (let version = 1; version <= 50; version++) {
      delivery.put({ ...list('a', version), servers });
      await turn(10);
    }
    expect(target.calls.length).toBeLessThan(10);
    await turn(100);
    expect(target.lists.get('a')?.version).toBe(50);
  });

  test('the newest list is not lost when delivery ends during a rest', async () => {
    const target = new FakeNginx();
    const delivery = deliver(target);
    const servers = Array.from({ length: 5000 }, (_, at) => createServer(`10.0.${at >> 8}.${at & 255}:80`));
    delivery.put({ ...list('a', 1), servers });
    await turn();
    delivery.put({ ...list('a', 2), servers });
    await turn();
    expect(target.lists.get('a')?.version).toBe(1);
    const closed = delivery.close(50);
    await turn(60);
    await closed;
    expect(target.lists.get('a')?.version).toBe(2);
  });

  test('while one list is on its way, only the newest of the later ones follows', async () => {
    const target = new FakeNginx();
    const delivery = deliver(target);
    let opened = () => {};
    target.gate = new Promise((resolve) => (opened = resolve));
    delivery.put(list('a', 1));
    await turn();
    for (const version of [2, 3, 4]) delivery.put(list('a', version));
    await turn(5);
    expect(target.calls).toHaveLength(1);
    opened();
    await turn(5);
    expect(target.calls).toHaveLength(2);
    expect(target.lists.get('a')?.version).toBe(4);
  });

  test('a target that asks for a pause gets what changed meanwhile at its end, in one call', async () => {
    const target = Object.assign(new FakeNginx(), { intervalMs: 1000 });
    const delivery = deliver(target);
    delivery.put(list('a', 1));
    await turn(1);
    for (const version of [2, 3, 4]) {
      for (let i = 0; i < 600; i++) delivery.put(list(`u${i}`, version));
      await turn(100);
    }
    expect(target.calls).toHaveLength(1);
    await turn(700);
    expect(target.calls.map((call) => call.length)).toEqual([1, 600]);
    expect(target.lists.get('u9')?.version).toBe(4);
  });

  test('a target that wants rest gets the first change of a burst at once and the last one after it, or at the end', async () => {
    const target = Object.assign(new FakeNginx(), { restMs: 1000 });
    const delivery = deliver(target);
    for (const version of [1, 2, 3]) {
      delivery.put(list('a', version));
      await turn(5);
    }
    delivery.put(list('b', 1));
    await turn(5);
    expect([...target.lists.values()].map(({ version }) => version)).toEqual([1, 1]);
    await turn(1000);
    expect(target.lists.get('a')?.version).toBe(3);
    delivery.put(list('a', 4));
    await delivery.close(100);
    expect(target.lists.get('a')?.version).toBe(4);
  });

  test('a batch that is slow does not hold up another upstream', async () => {
    const target = new FakeNginx();
    const delivery = deliver(target);
    target.gate = new Promise(() => undefined);
    delivery.put(list('slow', 1));
    await turn();
    target.gate = undefined;
    delivery.put(list('b', 1));
    await turn(5);
    expect(target.lists.has('b')).toBe(true);
    expect(delivery.status('slow').delivered).toBeUndefined();
  });

  test('an upstream whose target hangs does not hold up another', async () => {
    const applied: string[] = [];
    const delivery = deliver({
      description: 'half stuck',
      apply: ({ upstream, version }) => {
        if (upstream === 'stuck') return new Promise(() => undefined);
        applied.push(upstream);
        return Promise.resolve({ upstream, version, workers: [] });
      },
      close: async () => undefined,
    });
    delivery.put(list('stuck', 1));
    await turn();
    delivery.put(list('b', 1));
    await turn(5);
    expect(applied).toEqual(['b']);
    await turn(10_000);
    expect(delivery.status('stuck').error).toMatch(/did not answer in 10000 ms/);
    expect(logger.events()).toEqual(['apply_failed']);
  });
});

describe('a failure', () => {
  test.each([
    ['with applyMany', new FakeNginx()],
    ['without', new FakeTarget()],
  ])('is repeated until it works and told once, %s', async (_title, target) => {
    const delivery = deliver(target);
    target.failure = new Error('connect ECONNREFUSED');
    delivery.put(list('a', 1));
    await turn(2000);
    expect(target.calls.length).toBeGreaterThan(3);
    expect(logger.lines.filter((line) => line.event === 'apply_failed')).toHaveLength(1);
    expect(delivery.status('a').error).toMatch(/ECONNREFUSED/);
    target.failure = undefined;
    delivery.put(list('a', 2));
    await turn(2000);
    expect(target.lists.get('a')?.version).toBe(2);
    expect(delivery.status('a')).toMatchObject({ delivered: 2, error: undefined });
  });

  test('of one upstream leaves the others of its batch alone', async () => {
    const target = new FakeNginx();
    target.refused.add('b');
    const delivery = deliver(target);
    for (const name of ['a', 'b', 'c']) delivery.put(list(name, 1));
    await turn(1);
    expect([...target.lists.keys()]).toEqual(['a', 'c']);
    expect(logger.lines[0]).toMatchObject({
      event: 'apply_failed',
      fields: { upstreams: ['b'], code: 'TARGET_FULL' },
    });
    target.refused.clear();
    await turn(200);
    expect(target.lists.has('b')).toBe(true);
  });
});

describe('the check each second', () => {
  test('puts lists back after nginx was restarted behind our back, and tells it once', async () => {
    const target = new FakeNginx();
    const delivery = deliver(target);
    delivery.put(list('a', 3));
    await turn(10);
    target.restart();
    await turn(1000);
    await turn(10);
    expect(target.lists.get('a')?.version).toBe(3);
    await turn(5000);
    expect(target.calls).toHaveLength(2);
    expect(logger.events()).toEqual(['lists_lost']);
  });

  test('sends a list again when a worker stays behind', async () => {
    const target = new FakeNginx();
    const delivery = deliver(target);
    delivery.put(list('a', 3));
    await turn(10);
    target.workers.get(12)?.set('a', undefined);
    await turn(1000);
    expect(delivery.status('a').workers).toEqual([
      { pid: 11, version: 3 },
      { pid: 12, version: undefined },
    ]);
    expect(target.calls).toHaveLength(1);
    await turn(2010);
    expect(target.calls).toHaveLength(2);
    await turn(1000);
    expect(delivery.status('a').workers[1]?.version).toBe(3);
    expect(logger.events()).toEqual(['worker_behind']);
  });

  test('says once that the target cannot be reached', async () => {
    const target = new FakeNginx();
    const delivery = deliver(target);
    delivery.put(list('a', 3));
    await turn(10);
    target.failure = new Error('connect ENOENT');
    await turn(5000);
    expect(logger.events()).toEqual(['target_unreachable']);
    expect(delivery.status('a').error).toBe('connect ENOENT');
    target.failure = undefined;
    await turn(1000);
    expect(delivery.status('a').error).toBeUndefined();
  });

  test('does not look for a target that has nothing to hold', async () => {
    const target = new FakeNginx();
    target.failure = new Error('connect ENOENT');
    const delivery = deliver(target);
    await turn(5000);
    expect(logger.events()).toEqual([]);
    delivery.put(list('a', 3));
    await turn(1000);
    expect(logger.events()).toContain('target_unreachable');
  });
});

test('a removed upstream is left alone, with a failed attempt behind it too', async () => {
  const target = new FakeNginx();
  const delivery = deliver(target);
  target.failure = new Error('down');
  delivery.put(list('a', 1));
  await turn(10);
  delivery.remove('a');
  target.failure = undefined;
  await turn(5000);
  expect(target.lists.size).toBe(0);
});

test('close lets what is under way finish within its grace, and nothing happens after it', async () => {
  const target = new FakeNginx();
  const delivery = deliver(target);
  delivery.put(list('a', 1));
  const closing = delivery.close(500);
  await turn(10);
  await closing;
  expect(target.lists.get('a')?.version).toBe(1);
  delivery.put(list('a', 2));
  await turn(5000);
  expect(target.calls).toHaveLength(1);
});

test('close ends a hanging attempt', async () => {
  const target = new FakeTarget();
  target.gate = new Promise(() => undefined);
  const delivery = deliver(target);
  delivery.put(list('a', 1));
  await turn();
  await delivery.close();
  expect(delivery.status('a').error).toMatch(/stops/);
});

test('lists for this process are there to be read', async () => {
  const target = new MemoryTarget();
  const delivery = deliver(target);
  delivery.put(list('a', 1));
  await turn();
  expect(target.get('a')).toEqual(list('a', 1));
});
