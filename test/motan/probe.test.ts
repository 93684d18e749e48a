import { describe, expect, it } from 'vitest';
import { silentServers } from '../../src/motan/probe.ts';
import { provider } from '../helpers/motan-providers.ts';

const { signal } = new AbortController();
const servers = (count: number) => Array.from({ length: count }, (_, at) => provider(at + 1));

describe('silentServers', () => {
  it('finds those that do not answer', async () => {
    const silent = await silentServers(
      servers(10),
      async (host) => (host.endsWith('3') ? undefined : 1),
      signal,
    );
    expect([...silent]).toEqual(['3']);
  });

  it('tries a sample of a long list, and believes in the loss of all only when none of it answers', async () => {
    let tried = 0;
    const none = await silentServers(servers(3000), async () => void tried++, signal);
    expect([tried, none.size]).toEqual([64, 3000]);
    const most = await silentServers(
      servers(3000),
      async (host) => (host === '10.0.0.1' ? 1 : undefined),
      signal,
    );
    expect(most.size).toBe(63);
  });

  it('has nothing to say of no servers', async () => {
    expect((await silentServers([], async () => 1, signal)).size).toBe(0);
  });
});
