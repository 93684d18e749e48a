import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { encode } from 'dns-packet';
import { request } from 'undici';
import { findConsul } from './consul-binary.ts';
import { listening, start, type Child } from './child.ts';
import { PROGRAM, startRegistry } from './registry.ts';
import { freePorts } from '../../test/helpers/ports.ts';

/** A name server with one name of four addresses. */
export interface NameServer {
  readonly kind: 'upsync' | 'dnsmasq' | 'consul';
  readonly port: number;
  readonly name: string;
  stop(): Promise<void>;
}

const NAME = 'rs.dc1.6379.idc.local';
const ADDRESSES = ['127.0.1.1', '127.0.1.2', '127.0.1.3', '127.0.1.4'];
const READY_MS = 15_000;
const ASK_AGAIN_MS = 100;
// Consul's `udp_answer_limit`.
const CONSUL_UDP_ADDRESSES = 3;

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
  await answering(port, NAME);
  return {
    kind: 'upsync',
    port,
    name: NAME,
    stop: () => child.stop().then(() => registry.stop()),
  };
}

export async function startDnsmasq(): Promise<NameServer> {
  const [port] = (await freePorts(1)) as [number];
  const records = ADDRESSES.map((address) => `--host-record=${NAME},${address}`);
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
  await answering(port, NAME);
  return { kind: 'dnsmasq', port, name: NAME, stop: () => child.stop() };
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
  await listening(http, READY_MS);
  await registerWhenReady(`http://127.0.0.1:${http}`);
  await answering(dns, 'rs.service.consul', CONSUL_UDP_ADDRESSES);
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

// An agent listens before it has a leader, and takes nothing until then.
async function registerWhenReady(url: string): Promise<void> {
  const end = performance.now() + READY_MS;
  for (;;) {
    const reply = await request(`${url}/v1/status/leader`);
    if ((await reply.body.text()).length > '""'.length) return register(url);
    if (performance.now() > end) throw new Error(`${url} has no leader after ${READY_MS / 1000} s`);
    await delay(ASK_AGAIN_MS);
  }
}

/** Waits until the name has all its addresses: the load must not begin with a server that has not read them. */
async function answering(port: number, name: string, addresses = ADDRESSES.length): Promise<void> {
  const query = encode({ type: 'query', id: 1, flags: 0x100, questions: [{ type: 'A', name }] });
  const socket = createSocket('udp4');
  const end = performance.now() + READY_MS;
  try {
    while (performance.now() < end) {
      socket.send(query, port, '127.0.0.1');
      const reply = once(socket, 'message', { signal: AbortSignal.timeout(ASK_AGAIN_MS) });
      const [message] = (await reply.catch(() => [])) as [Buffer?];
      if (message !== undefined && message.readUInt16BE(6) >= addresses) return;
      if (message !== undefined) await delay(ASK_AGAIN_MS);
    }
  } finally {
    socket.close();
  }
  throw new Error(`${name} has no ${addresses} addresses on port ${port} after ${READY_MS / 1000} s`);
}
