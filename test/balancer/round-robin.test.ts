import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Balancer, BalancerOptions, Method, Peer } from '../../src/balancer/balancer.ts';
import { createBalancer } from '../../src/balancer/create.ts';
import type { PoolPeer } from '../../src/balancer/peer.ts';
import { createServer, type Server } from '../../src/upstream/server.ts';
import { LinearBalancer } from '../helpers/nginx-round-robin.ts';

const OPTIONS: BalancerOptions = { method: 'round_robin', seed: 0, loadFactor: 1.25 };

function take(balancer: Balancer, count: number, now = 0): string {
  let text = '';
  for (let i = 0; i < count; i++) {
    const peer = balancer.pick({ now, key: '', tried: [] });
    if (peer === undefined) return `${text}-`;
    balancer.done(peer, false, now, 1);
    text += peer.server.address.charAt(0);
  }
  return text;
}

function servers(...list: [string, Partial<Server>?][]): Server[] {
  return list.map(([name, attributes]) => createServer(`${name}:80`, attributes));
}

describe('round robin', () => {
  test('picks by weight in nginx’s smooth order', () => {
    const balancer = createBalancer(OPTIONS, servers(['a', { weight: 5 }], ['b'], ['c']));
    expect(take(balancer, 14)).toBe('aabacaaaabacaa');
  });

  test('passes over down and draining servers, and takes backups only when no primary is left', () => {
    const list = servers(
      ['a', { down: true }],
      ['b', { drain: true }],
      ['c', { backup: true }],
      ['d', { backup: true }],
    );
    const balancer = createBalancer(OPTIONS, list);
    expect(take(balancer, 4)).toBe('cdcd');
    expect(balancer.tries).toBe(2);
  });

  test('keeps the position over an update that changes nothing', () => {
    const list = servers(['a'], ['b'], ['c']);
    const first = createBalancer(OPTIONS, list);
    expect(take(first, 2)).toBe('ab');
    const second = createBalancer(OPTIONS, list, first);
    expect(second.peers[0]).toBe(first.peers[0]);
    expect(take(second, 3)).toBe('cab');
  });

  test('gives a newcomer its turn, not a flood', () => {
    const first = createBalancer(OPTIONS, servers(['a'], ['b'], ['c']));
    take(first, 7);
    const second = createBalancer(OPTIONS, servers(['n'], ['a'], ['b'], ['c']), first);
    const picks = take(second, 8);
    expect([...picks].filter((name) => name === 'n')).toHaveLength(2);
    expect(picks).not.toContain('nn');
  });

  test('does not let a light server catch up in one burst when a heavy one leaves', () => {
    const first = createBalancer(OPTIONS, servers(['a', { weight: 1000 }], ['b'], ['c']));
    take(first, 400);
    const second = createBalancer(OPTIONS, servers(['b'], ['c'], ['d']), first);
    for (const name of ['b', 'c', 'd']) expect(take(second, 6)).not.toContain(name.repeat(4));
  });

  test('passes a server over after max_fails, and probes it once fail_timeout is over', () => {
    const list = servers(['a', { maxFails: 1, failTimeoutMs: 10_000 }], ['b']);
    const balancer = createBalancer(OPTIONS, list);
    const a = balancer.pick({ now: 100, key: '', tried: [] })!;
    balancer.done(a, true, 100, 1);
    expect(take(balancer, 3, 10_100)).toBe('bbb');
    const seen: string[] = [];
    const held: Peer[] = [];
    for (let i = 0; i < 4; i++) {
      const peer = balancer.pick({ now: 10_101, key: '', tried: [] })!;
      seen.push(peer.server.address);
      held.push(peer);
    }
    // One probe only, until it comes back.
    expect(seen.filter((address) => address === 'a:80')).toHaveLength(1);
    for (const peer of held) balancer.done(peer, false, 10_102, 1);
    expect(take(balancer, 4, 10_103)).toMatch(/a.*a/);
  });

  test('tries all again when all have failed', () => {
    const balancer = createBalancer(OPTIONS, servers(['a', { maxFails: 1 }], ['b', { maxFails: 1 }]));
    for (let i = 0; i < 2; i++) balancer.done(balancer.pick({ now: 5, key: '', tried: [] })!, true, 5, 1);
    expect(balancer.resets).toBe(0);
    const picks = take(balancer, 4, 6);
    expect(picks).toContain('a');
    expect(picks).toContain('b');
    expect(balancer.resets).toBe(1);
  });

  test('never returns to a server that the request tried', () => {
    const balancer = createBalancer(OPTIONS, servers(['a'], ['b'], ['c', { backup: true }]));
    const tried: Peer[] = [];
    for (;;) {
      const peer = balancer.pick({ now: 1, key: '', tried });
      if (peer === undefined) break;
      balancer.done(peer, true, 1, 1);
      tried.push(peer);
    }
    expect(tried.map((peer) => peer.server.address)).toEqual(['a:80', 'b:80', 'c:80']);
  });

  test('gives a single server every request, whatever its failures, but honours down and max_conns', () => {
    const only = createBalancer(OPTIONS, servers(['a', { maxFails: 1, maxConns: 2 }]));
    for (let i = 0; i < 3; i++) only.done(only.pick({ now: 1, key: '', tried: [] })!, true, 1, 1);
    expect(only.pick({ now: 1, key: '', tried: [] })).toBeDefined();
    expect(only.pick({ now: 1, key: '', tried: [] })).toBeDefined();
    expect(only.pick({ now: 1, key: '', tried: [] })).toBeUndefined();
    expect(
      createBalancer(OPTIONS, servers(['a', { down: true }])).pick({ now: 1, key: '', tried: [] }),
    ).toBeUndefined();
  });

  test('has nothing to give for an empty list', () => {
    const balancer = createBalancer(OPTIONS, []);
    expect(balancer.pick({ now: 1, key: '', tried: [] })).toBeUndefined();
    expect(balancer.tries).toBe(1);
  });

  test('starts elsewhere in the same cycle with another seed', () => {
    const list = servers(['a'], ['b'], ['c'], ['d'], ['e'], ['f'], ['g'], ['h']);
    const starts = new Set<string>();
    for (let seed = 1; seed <= 64; seed++) {
      const picks = take(createBalancer({ ...OPTIONS, seed }, list), 8);
      expect('abcdefghabcdefgh').toContain(picks);
      starts.add(picks.charAt(0));
    }
    expect(starts.size).toBe(8);
  });

  test('does not mind requests that end after their server left the list', () => {
    const first = createBalancer(OPTIONS, servers(['a'], ['b']));
    const gone = first.pick({ now: 1, key: '', tried: [] })!;
    const second = createBalancer(OPTIONS, servers(['b'], ['c']), first);
    second.done(gone, true, 2, 1);
    expect(gone.conns).toBe(0);
    expect(take(second, 4)).toMatch(/^(bc|cb){2}$/);
  });
});

const attributes = fc.record({
  weight: fc.oneof(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 300 })),
  maxFails: fc.integer({ min: 0, max: 3 }),
  failTimeoutMs: fc.constantFrom(1000, 3000),
  down: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
  backup: fc.integer({ min: 0, max: 4 }).map((n) => n === 0),
  drain: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
  maxConns: fc.constantFrom(0, 0, 0, 1, 3),
});
const list = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 14 }), attributes), { minLength: 1, maxLength: 14 })
  .map((entries) => entries.map(([id, values]) => createServer(`10.0.0.${id}:80`, values)));
const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('pick' as const), retry: fc.boolean() }) },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('done' as const),
      which: fc.nat(),
      failed: fc.integer({ min: 0, max: 3 }).map((n) => n === 0),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 0, max: 2500 }) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('update' as const), servers: list }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('others' as const),
      which: fc.nat(),
      count: fc.nat({ max: 3 }),
    }),
  },
);

describe.each<Method>(['round_robin', 'least_conn'])('%s', (method) => {
  const options = { ...OPTIONS, method };

  test('makes the choices of nginx’s linear algorithm, whatever happens in between', () => {
    fc.assert(
      fc.property(list, fc.array(step, { maxLength: 120 }), (start, steps) => {
        let fast = createBalancer(options, start);
        let slow = new LinearBalancer(start, method === 'least_conn');
        const open: { fast: Peer; slow: PoolPeer }[] = [];
        let triedFast: Peer[] = [];
        let triedSlow: PoolPeer[] = [];
        let now = 50_000;
        for (const action of steps) {
          if (action.kind === 'wait') now += action.ms;
          if (action.kind === 'others') {
            const index = action.which % fast.peers.length;
            fast.setOtherConns(fast.peers[index]!, action.count, now);
            slow.peers[index]!.otherConns = action.count;
          }
          if (action.kind === 'update') {
            fast = createBalancer(options, action.servers, fast);
            slow = new LinearBalancer(action.servers, method === 'least_conn', slow);
          }
          if (action.kind === 'done' && open.length > 0) {
            const [request] = open.splice(action.which % open.length, 1);
            fast.done(request!.fast, action.failed, now, 1);
            slow.done(request!.slow, action.failed, now);
          }
          if (action.kind !== 'pick') continue;
          if (!action.retry) {
            triedFast = [];
            triedSlow = [];
          }
          const a = fast.pick({ now, key: '', tried: triedFast });
          const b = slow.pick(triedSlow, now);
          expect(a === undefined ? -1 : fast.peers.indexOf(a)).toBe(
            b === undefined ? -1 : slow.peers.indexOf(b),
          );
          if (a === undefined || b === undefined) continue;
          open.push({ fast: a, slow: b });
          triedFast.push(a);
          triedSlow.push(b);
        }
      }),
      { numRuns: 1500 },
    );
  });
});
