import { createSocket, type Socket } from 'node:dgram';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import packet from 'dns-packet';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type SystemLookup, systemResolver } from '../../src/upsync/resolve-names.ts';

let server: Socket;
let folder: string;
let hosts: string;
const records: Record<string, { type: 'A' | 'AAAA'; data: string; ttl: number }[]> = {
  'both.test': [
    { type: 'A', data: '10.0.0.2', ttl: 60 },
    { type: 'A', data: '10.0.0.1', ttl: 7 },
    { type: 'AAAA', data: '2001:db8::1', ttl: 30 },
  ],
  'brief.test': [{ type: 'A', data: '10.0.0.1', ttl: 0 }],
  'long.test': [{ type: 'AAAA', data: '2001:db8::2', ttl: 999_999 }],
};

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'upsync-names-'));
  hosts = join(folder, 'hosts');
  await writeFile(hosts, '127.0.0.1 localhost # comment.test\n');
  server = createSocket('udp4');
  server.on('message', (message, peer) => {
    const query = packet.decode(message);
    const { name, type } = query.questions![0]!;
    const known = records[name];
    const answers = (known ?? [])
      .filter((record) => record.type === type)
      .map((record) => ({ name, class: 'IN' as const, ...record }));
    const rcode = name === 'half.test' && type === 'AAAA' ? 2 : known || name === 'half.test' ? 0 : 3;
    if (name === 'half.test' && type === 'A')
      answers.push({ name, class: 'IN', type: 'A', data: '10.0.0.5', ttl: 5 });
    const reply = packet.encode({
      id: query.id,
      type: 'response',
      flags: packet.RECURSION_DESIRED | packet.RECURSION_AVAILABLE | rcode,
      questions: query.questions,
      answers,
    });
    server.send(reply, peer.port, peer.address);
  });
  await new Promise<void>((done) => server.bind(0, '127.0.0.1', done));
});
afterEach(async () => {
  server.close();
  await rm(folder, { recursive: true, force: true });
});

const system: SystemLookup = async (host) => {
  if (host === 'localhost') return [{ address: '127.0.0.1', family: 4 }];
  if (host === 'searched') return [{ address: '10.0.0.7', family: 4 }];
  throw new Error(`getaddrinfo ENOTFOUND ${host}`);
};
const ask = (host: string) => {
  const servers = [`127.0.0.1:${server.address().port}`];
  return systemResolver({ hostsFile: hosts, servers, lookup: system })(host, new AbortController().signal);
};

test.each([
  ['both.test', { addresses: ['10.0.0.1', '10.0.0.2', '2001:db8::1'], ttlMs: 7000 }],
  ['brief.test', { addresses: ['10.0.0.1'], ttlMs: 1000 }],
  ['long.test', { addresses: ['2001:db8::2'], ttlMs: 3_600_000 }],
  ['half.test', { addresses: ['10.0.0.5'], ttlMs: 5000, incomplete: 6 }],
])('%s resolves with the shortest time to live, within bounds', async (host, answer) => {
  expect(await ask(host)).toEqual(answer);
});

test('localhost is the own host, whatever DNS says', async () => {
  const answer = await ask('localhost');
  expect(answer).toEqual({ addresses: ['127.0.0.1'], ttlMs: 30_000 });
});

test('a name only the system knows, by its search domains, is resolved there', async () => {
  expect(await ask('searched')).toEqual({ addresses: ['10.0.0.7'], ttlMs: 30_000 });
});

test('a name nobody knows rejects', async () => {
  await expect(ask('nobody-has-this.invalid')).rejects.toThrow(/nobody-has-this\.invalid/);
});
