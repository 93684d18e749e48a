import { connect, createServer } from 'node:net';
import { once } from 'node:events';
import { describe, expect, it, onTestFinished } from 'vitest';
import { connectTo } from '../../../src/motan/connect/connect.ts';
import { createLookup } from '../../../src/motan/connect/lookup.ts';
import type { ProviderList } from '../../../src/motan/provider.ts';
import type { Resolver } from '../../../src/motan/resolution.ts';
import { createResolver } from '../../../src/motan/resolver.ts';
import { createTopology } from '../../../src/motan/topology.ts';
import { provider } from '../../helpers/motan-providers.ts';
import { listOf, MemoryRegistry, queryKey } from '../../helpers/motan-registry.ts';

function resolverOf(list: ProviderList): Resolver {
  const registry = new MemoryRegistry<ProviderList>();
  registry.set('local/db', list);
  const resolver = createResolver({
    topology: createTopology({ local: 'a', idcs: [{ name: 'a' }] }),
    providers: (query) => registry.source(queryKey(query)),
    settleMs: 50,
  });
  onTestFinished(() => resolver.close());
  return resolver;
}

async function listening(host: string): Promise<number> {
  const server = createServer((socket) => socket.end('hello'));
  server.listen(0, host);
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return (server.address() as { port: number }).port;
}

describe('createLookup', () => {
  it('lets net.connect take a name for a host', async () => {
    const port = await listening('127.0.1.1');
    const resolver = resolverOf(listOf([provider(1, { host: '127.0.1.1', port })]));
    const socket = connect({ host: `db.a.${port}`, port, lookup: createLookup(resolver) });
    const [data] = (await once(socket, 'data')) as [Buffer];
    expect(data.toString()).toBe('hello');
  });

  it('fails as dns.lookup does when there is no server', async () => {
    const resolver = resolverOf(listOf([]));
    const socket = connect({ host: 'db.a.3306', port: 3306, lookup: createLookup(resolver) });
    const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException];
    expect(error.code).toBe('ENOTFOUND');
    expect(error.message).toContain('no server');
  });

  it('gives one address or all, of the family asked for', async () => {
    const v6 = provider(2, { host: '2001:db8::2', port: 3306, address: '[2001:db8::2]:3306' });
    const resolver = resolverOf(listOf([provider(1, { port: 3306 }), v6]));
    const lookup = createLookup(resolver, 'db.a.3306');
    const one = (options: object) =>
      new Promise((resolve) => lookup('x', options, (_error, address, family) => resolve([address, family])));
    expect(await one({ family: 6 })).toEqual(['2001:db8::2', 6]);
    expect(await one({ family: 'IPv4' })).toEqual(['10.0.0.1', 4]);
    const [all] = (await one({ all: true })) as [unknown[]];
    expect(all).toHaveLength(2);
  });
});

describe('connectTo', () => {
  it('says which servers it tried', async () => {
    const port = await listening('127.0.1.1');
    const resolver = resolverOf(listOf([provider(1, { host: '127.0.9.9', port })]));
    await expect(connectTo(resolver, `db.a.${port}`)).rejects.toMatchObject({ code: 'NO_SERVER' });
    await expect(connectTo(resolverOf(listOf([])), `db.a.${port}`)).rejects.toThrow('no server that takes');
  });
});
