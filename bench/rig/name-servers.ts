import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { request } from 'undici';
import { findConsul } from './consul-binary.ts';
import { freePorts, start, type Child } from './child.ts';
import { PROGRAM, startRegistry } from './registry.ts';

/** A name server with one name of four addresses. */
export interface NameServer {
  readonly kind: 'upsync' | 'dnsmasq' | 'consul';
  readonly port: number;
  readonly name: string;
  stop(): Promise<void>;
}

const ADDRESSES = ['127.0.1.1', '127.0.1.2', '127.0.1.3', '127.0.1.4'];
const READY_MS = 2500;

async function register(url: string): Promise<void> {
  for (const [at, address] of ADDRESSES.entries()) {
    const body = JSON.stringify({ ID: `rs-${at}`, Name: 'rs', Address: address, Port: 6379 });
    const reply = await request(`${url}/v1/agent/service/register`, { method: 'PUT', body });
    await reply.body.dump();
    if (reply.statusCode !== 200)
      throw new Error(`registering ${address}: the registry answered ${reply.statusCode}`);
  }
}

export async function startUpsyncDns(): Promise<NameServer> {
  const registry = await startRegistry();
  await register(registry.url);
  const [port] = (await freePorts(1)) as [number];
  const args = [PROGRAM, 'dns', '--consul', registry.url, '--idc', 'dc1', '--listen', `127.0.0.1:${port}`];
  const child = start(process.execPath, args, ['ignore', 'ignore', 'ignore']);
  await delay(READY_MS);
  return {
    kind: 'upsync',
    port,
    name: 'rs.dc1.6379.idc.local',
    stop: () => child.stop().then(() => registry.stop()),
  };
}

export async function startDnsmasq(): Promise<NameServer> {
  const [port] = (await freePorts(1)) as [number];
  const records = ADDRESSES.map((address) => `--host-record=rs.dc1.6379.idc.local,${address}`);
  const args = [
    '--keep-in-foreground',
    '--no-resolv',
    '--no-hosts',
    '--no-daemon',
    `--port=${port}`,
    '--listen-address=127.0.0.1',
    '--bind-interfaces',
    ...records,
  ];
  const child: Child = start('dnsmasq', args, ['ignore', 'ignore', 'ignore']);
  await delay(500);
  return { kind: 'dnsmasq', port, name: 'rs.dc1.6379.idc.local', stop: () => child.stop() };
}

/** The real Consul where it can be found; undefined otherwise. */
export async function startConsulDns(): Promise<NameServer | undefined> {
  const binary = findConsul();
  if (binary === undefined) return undefined;
  const [http, dns, server, serfLan, serfWan] = (await freePorts(5)) as [
    number,
    number,
    number,
    number,
    number,
  ];
  const folder = await mkdtemp(path.join(tmpdir(), 'upsync-bench-consul-'));
  const ports = {
    http,
    dns,
    server,
    serf_lan: serfLan,
    serf_wan: serfWan,
    grpc: -1,
    grpc_tls: -1,
    https: -1,
  };
  await writeFile(path.join(folder, 'ports.json'), JSON.stringify({ ports }));
  const child = start(
    binary,
    [
      'agent',
      '-dev',
      '-bind=127.0.0.1',
      '-client=127.0.0.1',
      '-log-level=error',
      `-config-file=${folder}/ports.json`,
    ],
    ['ignore', 'ignore', 'ignore'],
  );
  await delay(4000);
  await register(`http://127.0.0.1:${http}`);
  await delay(500);
  return {
    kind: 'consul',
    port: dns,
    name: 'rs.service.consul',
    stop: async () => {
      await child.stop('SIGINT');
      await rm(folder, { recursive: true, force: true });
    },
  };
}
