import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSource, openSources } from '../../src/discovery/open.ts';
import type { SourceOptions } from '../../src/discovery/source.ts';
import { findEtcd, RunningEtcd } from '../helpers/etcd.ts';
import { FakeConsul } from '../helpers/fake-consul.ts';
import { sourceOptions } from '../helpers/source-options.ts';
import { describeSource, type SourceBench } from './source.contract.ts';

const secrets = { token: 'secret' };

for (const shared of [false, true])
  describeSource(shared ? 'Consul KV, one poll for several upstreams' : 'Consul KV', async () => {
    const consul = await FakeConsul.start();
    const options = (name: string): SourceOptions =>
      sourceOptions({ type: 'consul', path: `/v1/kv/ups/${name}/`, addresses: [consul.url], ...secrets });
    return {
      ...consulBench(consul),
      open: () => openSources([options('test'), ...(shared ? [options('other')] : [])])[0]!,
      set: async (servers) => {
        const gone = [...consul.kv.keys()].filter((key) => !(key.slice('ups/test/'.length) in servers));
        const keys = Object.entries(servers).map(([address, weight]) => [`ups/test/${address}`, { weight }]);
        consul.put({
          ...Object.fromEntries(gone.map((key) => [key, undefined])),
          ...Object.fromEntries(keys),
        });
      },
      spoil: async () => {
        consul.put({ 'ups/test/nonsense': null });
      },
    };
  });

for (const type of ['consul_services', 'consul_health'] as const)
  describeSource(type, async () => {
    const consul = await FakeConsul.start();
    const path = type === 'consul_health' ? '/v1/health/service/web' : '/v1/catalog/service/web';
    const entry = (host: string, port: number, tags: string[]): object =>
      type === 'consul_health'
        ? { Node: { Node: 'n' }, Service: { ID: host, Address: host, Port: port, Tags: tags }, Checks: [] }
        : { Node: 'n', ServiceID: host, ServiceAddress: host, ServicePort: port, ServiceTags: tags };
    let entries: object[] = [];
    return {
      ...consulBench(consul),
      open: () => openSource(sourceOptions({ type, path, addresses: [consul.url], ...secrets })),
      set: async (servers) => {
        entries = Object.entries(servers).map(([address, weight]) => {
          const [host, port] = address.split(':');
          return entry(host!, Number(port), [`weight=${weight}`]);
        });
        consul.document(path, entries);
      },
      spoil: async () => {
        consul.document(path, [...entries, entry('10.0.0.9', 0, [])]);
      },
    };
  });

for (const json of [false, true])
  describeSource(json ? 'a JSON file' : 'a file of server lines', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'upsync-contract-'));
    const path = join(folder, 'list');
    let list: Readonly<Record<string, number>> = {};
    const write = async (extra: string): Promise<void> => {
      const entries = [...Object.entries(list), ...(extra === '' ? [] : [[extra, 1] as const])];
      const text = json
        ? JSON.stringify(entries.map(([address, weight]) => ({ address, weight })))
        : entries.map(([address, weight]) => `server ${address} weight=${weight};\n`).join('');
      await writeFile(`${path}.new`, text);
      await rename(`${path}.new`, path);
    };
    return {
      open: () => openSource(sourceOptions({ type: 'file', path })),
      set: async (servers) => {
        list = servers;
        await write('');
      },
      spoil: () => write('nonsense:port'),
      cut: () => rm(path),
      close: () => rm(folder, { recursive: true, force: true }),
    };
  });

const etcd = findEtcd();
if (etcd === undefined) console.log('no etcd on this machine: its sources are not put to the contract');
else
  for (const version of ['v2', 'v3'] as const)
    describeSource(`etcd ${version}`, async () => {
      const server = await RunningEtcd.start(etcd);
      const put = (key: string, value: string): Promise<void> =>
        version === 'v2' ? server.v2(`/ups/test/${key}`, value) : server.put(`/ups/test/${key}`, value);
      const drop = (key: string): Promise<void> =>
        version === 'v2' ? server.v2(`/ups/test/${key}`, undefined) : server.delete(`/ups/test/${key}`);
      let present: string[] = [];
      const path = version === 'v2' ? '/v2/keys/ups/test' : '/ups/test/';
      return {
        open: () => openSource(sourceOptions({ type: 'etcd', path, addresses: [server.url] })),
        set: async (servers) => {
          for (const [address, weight] of Object.entries(servers))
            await put(address, JSON.stringify({ weight }));
          for (const address of present) if (!(address in servers)) await drop(address);
          present = Object.keys(servers);
        },
        spoil: () => put('nonsense', ''),
        cut: () => server.stop(),
        close: () => server.stop(),
      };
    });

function consulBench(consul: FakeConsul): Pick<SourceBench, 'cut' | 'close'> {
  let gone: Promise<void> | undefined;
  const stop = (): Promise<void> => (gone ??= consul.stop());
  return { cut: stop, close: stop };
}
