import { randomUUID } from 'node:crypto';
import { afterAll } from 'vitest';
import { createEmbeddedRegistry } from '../../src/discovery/embedded/registry.ts';
import { openSource, openSources } from '../../src/discovery/open.ts';
import { locateConsul, NO_CONSUL, type RunningConsul, startConsul } from '../helpers/consul.ts';
import { sourceOptions } from '../helpers/source-options.ts';
import { TcpProxy } from '../helpers/tcp-proxy.ts';
import { describeSource, type SourceBench } from './source.contract.ts';

/** The Consul sources against a Consul that has its own idea of indexes and blocking. */
function describeAgainst(
  name: string,
  start: () => Promise<{ url: string; close?: () => Promise<void> }>,
): void {
  for (const shared of [false, true])
    describeSource(`Consul KV${shared ? ', one poll for several upstreams,' : ''} against ${name}`, () =>
      open(start, (put) => ({
        open: (address, folder) => {
          const options = [`${folder}/test/`, ...(shared ? [`${folder}/other/`] : [])].map((path) =>
            sourceOptions({ type: 'consul', path: `/v1/kv/${path}`, addresses: [address] }),
          );
          return openSources(options)[0]!;
        },
        add: (folder, address, weight) =>
          put(`/v1/kv/${folder}/test/${address}`, weight === undefined ? '' : JSON.stringify({ weight })),
        remove: (folder, address) => put(`/v1/kv/${folder}/test/${address}`, undefined),
      })),
    );

  for (const type of ['consul_services', 'consul_health'] as const)
    describeSource(`${type} against ${name}`, () =>
      open(start, (put) => ({
        open: (address, folder) => {
          const path = `/v1/${type === 'consul_health' ? 'health' : 'catalog'}/service/${folder}`;
          return openSource(sourceOptions({ type, path, addresses: [address] }));
        },
        add: (folder, address, weight) => {
          const [Address, port] = address.split(':');
          const body = {
            ...{ Name: folder, ID: `${folder}-${address}`, Address, Tags: [`weight=${weight ?? 1}`] },
            ...(weight === undefined ? {} : { Port: Number(port) }),
          };
          return put('/v1/agent/service/register', JSON.stringify(body));
        },
        remove: (folder, address) => put(`/v1/agent/service/deregister/${folder}-${address}`, ''),
      })),
    );
}

interface Registry {
  open(url: string, folder: string): ReturnType<SourceBench['open']>;
  /** Without a weight: in a way that is not usable. */
  add(folder: string, address: string, weight: number | undefined): Promise<void>;
  remove(folder: string, address: string): Promise<void>;
}

async function open(
  start: () => Promise<{ url: string; close?: () => Promise<void> }>,
  registryOf: (put: (path: string, body: string | undefined) => Promise<void>) => Registry,
): Promise<SourceBench> {
  const consul = await start();
  const proxy = await TcpProxy.start(consul.url);
  const registry = registryOf(async (path, body) => {
    const init = body === undefined ? { method: 'DELETE' } : { method: 'PUT', body };
    const response = await fetch(consul.url + path, init);
    if (!response.ok) throw new Error(`${path} was answered ${response.status}`);
  });
  const folder = `t-${randomUUID().slice(0, 8)}`;
  let present: string[] = [];
  return {
    open: () => registry.open(proxy.url, folder),
    set: async (servers) => {
      for (const [address, weight] of Object.entries(servers)) await registry.add(folder, address, weight);
      for (const address of present) if (!(address in servers)) await registry.remove(folder, address);
      present = Object.keys(servers);
    },
    spoil: () => registry.add(folder, '10.0.0.99', undefined),
    cut: () => proxy.cut(),
    close: async () => {
      for (const address of present) await registry.remove(folder, address);
      await proxy.cut();
      await consul.close?.();
    },
  };
}

describeAgainst('the embedded registry', () => createEmbeddedRegistry({ listen: '127.0.0.1:0' }));

if ((await locateConsul()) === undefined) console.log(NO_CONSUL);
else {
  let consul: Promise<RunningConsul> | undefined;
  afterAll(async () => (await consul)?.stop());
  describeAgainst('a real Consul', async () => ({ url: (await (consul ??= startConsul())).url }));
}
