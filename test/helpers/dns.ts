import { decode, encode, type DecodedPacket, type Packet } from 'dns-packet';
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import { onTestFinished } from 'vitest';
import { createDnsServer, type DnsServer, type DnsServerOptions } from '../../src/motan/dns/server.ts';
import type { Provider, ProviderList } from '../../src/motan/provider.ts';
import type { Resolver } from '../../src/motan/resolution.ts';
import { createResolver } from '../../src/motan/resolver.ts';
import { createTopology } from '../../src/motan/topology.ts';
import { listOf, MemoryRegistry, queryKey } from './motan-registry.ts';

const BOUND_MS = 5000;

/** A question in wire form. */
export function question(name: string, type: string, more: Partial<Packet> = {}): Buffer {
  return encode({
    type: 'query',
    id: 4711,
    flags: 256,
    questions: [{ type: type as 'A', name }],
    ...more,
  });
}

/** The OPT record of a client that takes so many bytes. */
export function opt(udpPayloadSize: number, more: object = {}): Packet {
  const record = { type: 'OPT', name: '.', udpPayloadSize, flags: 0, options: [], ...more };
  return { additionals: [record as never] };
}

/** Sends bytes over UDP and resolves with the answer, or with undefined when none came in `boundMs`. */
export function askUdp(port: number, bytes: Buffer, boundMs = BOUND_MS): Promise<Buffer | undefined> {
  return new Promise((resolve, reject) => {
    const socket = createSocket('udp4');
    const end = (reply?: Buffer): void => {
      clearTimeout(timer);
      socket.close();
      resolve(reply);
    };
    const timer = setTimeout(end, boundMs);
    socket.on('error', reject);
    socket.on('message', (reply) => end(reply));
    socket.send(bytes, port, '127.0.0.1');
  });
}

/** Sends questions over one TCP connection and resolves with as many answers. */
export function askTcp(port: number, ...questions: readonly Buffer[]): Promise<Buffer[]> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    const answers: Buffer[] = [];
    let got = Buffer.alloc(0);
    socket.setTimeout(BOUND_MS, () => socket.destroy(new Error('no answer over TCP')));
    socket.on('error', reject);
    socket.on('data', (chunk) => {
      got = Buffer.concat([got, chunk]);
      while (got.length >= 2 && got.length >= 2 + got.readUInt16BE(0)) {
        answers.push(got.subarray(2, 2 + got.readUInt16BE(0)));
        got = got.subarray(2 + got.readUInt16BE(0));
      }
      if (answers.length < questions.length) return;
      socket.destroy();
      resolve(answers);
    });
    for (const bytes of questions) {
      const head = Buffer.alloc(2);
      head.writeUInt16BE(bytes.length);
      socket.write(Buffer.concat([head, bytes]));
    }
  });
}

/** What an answer says, as tests read it. */
export function read(bytes: Buffer | undefined): DecodedPacket & { readonly rcode: string } {
  if (bytes === undefined) throw new Error('no answer');
  return decode(bytes) as DecodedPacket & { rcode: string };
}

export interface DnsFixture {
  readonly dns: DnsServer;
  readonly registry: MemoryRegistry<ProviderList>;
  readonly resolver: Resolver;
  readonly ask: (name: string, type: string, more?: Partial<Packet>) => Promise<ReturnType<typeof read>>;
}

/** A DNS server over a registry in memory, with IDCs a (local), b and cloud. */
export async function startDns(
  servers: Readonly<Record<string, readonly Provider[]>>,
  options: Partial<DnsServerOptions> = {},
): Promise<DnsFixture> {
  const registry = new MemoryRegistry<ProviderList>();
  for (const [key, list] of Object.entries(servers)) registry.set(key, listOf(list));
  const resolver = createResolver({
    topology: createTopology({ local: 'a', idcs: [{ name: 'a' }, { name: 'b' }, { name: 'cloud' }] }),
    providers: (query) => registry.source(queryKey(query)),
    settleMs: 100,
  });
  const dns = await createDnsServer({ resolver, listen: { port: 0 }, ...options });
  onTestFinished(async () => {
    await dns.close();
    await resolver.close();
  });
  return {
    dns,
    registry,
    resolver,
    ask: async (name, type, more) => read(await askUdp(dns.port, question(name, type, more))),
  };
}

/** The three IDCs with so many servers of `rs` each; none elsewhere. */
export function rs(
  a: readonly Provider[],
  b: readonly Provider[] = [],
  cloud: readonly Provider[] = [],
): Readonly<Record<string, readonly Provider[]>> {
  return { 'local/rs': a, 'b/rs': b, 'cloud/rs': cloud };
}
