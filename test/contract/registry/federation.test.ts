import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { consulRequired, locateConsul, type RunningConsul, startConsul } from '../../helpers/consul.ts';
import { get, put, until } from './subject.ts';

// Two real datacenters, as tests of `dc=` need them: proves that the helper federates.
const hasConsul = (await locateConsul().catch(() => undefined)) !== undefined;

describe.runIf(hasConsul || consulRequired)('two datacenters of real Consul', () => {
  const running: RunningConsul[] = [];
  beforeAll(async () => {
    running.push(await startConsul({ datacenter: 'dc1' }));
    running.push(await startConsul({ datacenter: 'dc2', joinWan: [running[0]!.serfWanPort] }));
  });
  afterAll(async () => {
    await Promise.all(running.map(async (consul) => consul.stop()));
  });

  it('answer for each other once they have met', async () => {
    const [one, two] = running as [RunningConsul, RunningConsul];
    await put(two, '/v1/kv/where', 'dc2');
    const answer = await until(
      async () => get(one, '/v1/kv/where?raw&dc=dc2'),
      ({ status }) => status === 200,
      20_000,
    );
    expect(answer.text).toBe('dc2');
    expect((await get(one, '/v1/kv/where?raw')).status).toBe(404);
  });
});
