import { describe, expect, it } from 'vitest';
import { Agent } from '../../../src/discovery/embedded/agent.ts';
import { decodeAgentService } from '../../../src/discovery/embedded/decode-agent.ts';
import { createStore } from '../../../src/discovery/embedded/store/store.ts';
import { createManualClock } from '../../helpers/embedded-registry.ts';

function setUp() {
  const store = createStore();
  const clock = createManualClock();
  const identity = { datacenter: 'dc1', node: 'n', nodeId: 'id', address: '127.0.0.1', port: 8500 };
  const agent = new Agent({ store, identity, clock, random: () => 0 });
  agent.start();
  const register = (check: object) =>
    agent.registerService(decodeAgentService(JSON.stringify({ Name: 'web', Check: check })), false);
  const check = () => store.catalog.check('n', 'service:web')!;
  return { agent, check, clock, register, store };
}

describe("the agent's checks", () => {
  it('turn critical exactly when their TTL is over, and a beat starts it anew', () => {
    const { agent, check, clock, register } = setUp();
    register({ TTL: '30s' });
    agent.updateTtl('service:web', 'passing', 'ok');
    clock.advance(29_999);
    expect(check().Status).toBe('passing');
    agent.updateTtl('service:web', 'passing', 'ok');
    clock.advance(29_999);
    expect(check().Status).toBe('passing');
    clock.advance(1);
    expect(check()).toMatchObject({
      Status: 'critical',
      Output: 'TTL expired (last output before timeout follows): ok',
    });
  });

  it('do not touch the catalog when a beat changes only the output, for five minutes', () => {
    const { agent, check, clock, register, store } = setUp();
    register({ TTL: '1h' });
    agent.updateTtl('service:web', 'passing', 'first');
    const index = store.indexes.current;
    agent.updateTtl('service:web', 'passing', 'second');
    expect([check().Output, store.indexes.current]).toEqual(['first', index]);
    expect(agent.checks()[0]!.Output).toBe('second');
    clock.advance(300_000);
    expect(check().Output).toBe('second');
  });

  it('remove a service that stays critical for longer than it allows, at least a minute', () => {
    const { agent, clock, register, store } = setUp();
    register({ TTL: '1s', DeregisterCriticalServiceAfter: '10s' });
    clock.advance(60_000);
    expect(store.catalog.service('n', 'web')).toBeDefined();
    clock.advance(60_000);
    expect(store.catalog.service('n', 'web')).toBeUndefined();
    expect(agent.services()).toEqual([]);
    expect(clock.pending).toBe(0);
  });

  it('spare a service that recovers in time', () => {
    const { agent, clock, register, store } = setUp();
    register({ TTL: '50s', DeregisterCriticalServiceAfter: '1m' });
    for (let minute = 0; minute < 10; minute++) {
      agent.updateTtl('service:web', minute % 2 ? 'critical' : 'passing', '');
      clock.advance(40_000);
    }
    expect(store.catalog.service('n', 'web')).toBeDefined();
  });

  it('leave no timer behind when the service goes or the agent closes', () => {
    const { agent, clock, register } = setUp();
    register({ TTL: '30s' });
    agent.updateTtl('service:web', 'passing', 'a');
    agent.updateTtl('service:web', 'passing', 'b');
    agent.deregisterService('web');
    expect(clock.pending).toBe(0);
    register({ TTL: '30s', DeregisterCriticalServiceAfter: '1m' });
    agent.close();
    expect(clock.pending).toBe(0);
  });

  it('that are of a kind not run here say so', () => {
    const { check, register } = setUp();
    register({ GRPC: '127.0.0.1:1', Interval: '10s' });
    expect(check()).toMatchObject({ Type: 'grpc', Status: 'critical', Interval: '10s' });
    expect(check().Output).toContain('does not run grpc checks');
  });
});
