import type { SrvAnswer, StringAnswer } from 'dns-packet';
import fc from 'fast-check';
import { createSocket } from 'node:dgram';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createDnsServer } from '../../../src/motan/dns/server.ts';
import { createResolver } from '../../../src/motan/resolver.ts';
import { createTopology } from '../../../src/motan/topology.ts';
import { askTcp, askUdp, opt, question, read, rs, startDns } from '../../helpers/dns.ts';
import { provider } from '../../helpers/motan-providers.ts';
import { listOf } from '../../helpers/motan-registry.ts';

const many = (count: number, from = 1) => Array.from({ length: count }, (_, at) => provider(from + at));
const hosts = (packet: ReturnType<typeof read>): string[] =>
  (packet.answers ?? []).map((answer) => (answer as StringAnswer).data);
const NAME = 'rs.a.6379.idc.local';

describe('names', () => {
  it('answers a name as it stands and below the suffix, in any letter case, and echoes the question as sent', async () => {
    const { ask } = await startDns(rs(many(1)));
    for (const name of ['rs.a.6379', NAME, 'RS.a.6379.IDC.local']) {
      const reply = await ask(name, 'A');
      expect(reply.rcode).toBe('NOERROR');
      expect(reply.id).toBe(4711);
      expect(reply.flag_aa).toBe(true);
      expect(reply.flag_rd).toBe(true);
      expect(reply.questions).toEqual([{ name, type: 'A', class: 'IN' }]);
      expect(reply.answers).toEqual([
        { name, type: 'A', class: 'IN', flush: false, ttl: 5, data: '10.0.0.1' },
      ]);
    }
  });

  it('answers AAAA with the IPv6 servers only', async () => {
    const v6 = provider(9, { host: '2001:db8::9', address: '[2001:db8::9]:6379' });
    const { ask } = await startDns(rs([provider(1), v6]));
    expect(hosts(await ask(NAME, 'A'))).toEqual(['10.0.0.1']);
    expect(hosts(await ask(NAME, 'AAAA'))).toEqual(['2001:db8::9']);
  });

  it.each([
    ['a name that breaks the grammar', 'rs.a.06379.idc.local', 'NXDOMAIN', 'idc.local'],
    ['a bare name that breaks the grammar', 'rs.a.99999', 'NXDOMAIN', '99999'],
    ['an unknown IDC', 'rs.z.6379.idc.local', 'NXDOMAIN', 'idc.local'],
    ['a service the registry does not know', 'none.a.6379.idc.local', 'NXDOMAIN', 'idc.local'],
    ['a type the name has no record of', `TXT ${NAME}`, 'NOERROR', 'idc.local'],
    ['AAAA of a name with IPv4 servers', `AAAA ${NAME}`, 'NOERROR', 'idc.local'],
    ['a name between the zone and its names', 'a.6379.idc.local', 'NOERROR', 'idc.local'],
    ['the zone itself', 'idc.local', 'NOERROR', 'idc.local'],
    ['an address label that is none', 'xyz.addr.idc.local', 'NXDOMAIN', 'idc.local'],
  ])('answers %s with a SOA and its negative TTL', async (_, text, rcode, zone) => {
    const { ask } = await startDns(
      { ...rs(many(1)), 'local/none': [], 'b/none': [], 'cloud/none': [] },
      { negativeTtlSeconds: 2 },
    );
    const [name, type = 'A'] = text.split(' ').reverse();
    const reply = await ask(name!, type);
    expect(reply.rcode).toBe(rcode);
    expect(reply.answers).toEqual([]);
    expect(reply.authorities).toMatchObject([{ type: 'SOA', name: zone, ttl: 2, data: { minimum: 2 } }]);
  });

  it('serves SOA and NS of its zone', async () => {
    const { ask } = await startDns(rs(many(1)));
    expect((await ask('idc.local', 'SOA')).answers).toMatchObject([{ data: { mname: 'ns.idc.local' } }]);
    expect((await ask('idc.local', 'NS')).answers).toMatchObject([{ data: 'ns.idc.local' }]);
    expect(hosts(await ask('ns.idc.local', 'A'))).toEqual(['127.0.0.1']);
  });

  it('fails, and does not deny, while the registry cannot be asked', async () => {
    const { ask, registry } = await startDns({}, { readyTimeoutMs: 50 });
    expect((await ask(NAME, 'A')).rcode).toBe('SERVFAIL');
    for (const dc of ['local', 'b', 'cloud']) registry.fail(`${dc}/rs`);
    expect((await ask(NAME, 'A')).rcode).toBe('SERVFAIL');
  });

  it('follows the list from one answer to the next', async () => {
    const { ask, registry } = await startDns(rs(many(1)));
    expect(hosts(await ask(NAME, 'A'))).toEqual(['10.0.0.1']);
    registry.set('local/rs', { providers: many(1, 2), rejected: [], complete: true });
    await expect.poll(async () => hosts(await ask(NAME, 'A'))).toEqual(['10.0.0.2']);
  });
});

describe('order', () => {
  it('puts each server first as often as its share of the traffic says, over IDCs too', async () => {
    // Half of IDC a is down: it keeps 70 % (Envoy), b takes 30 %.
    const a = [provider(1, { weight: 3 }), provider(2, { weight: 1 })];
    const down = [provider(3, { health: 'critical' }), provider(4, { health: 'critical' })];
    const { ask } = await startDns(rs([...a, ...down], many(2, 300)));
    const first = new Map<string, number>();
    for (let turn = 0; turn < 400; turn++) {
      const [host] = hosts(await ask(NAME, 'A'));
      first.set(host!, (first.get(host!) ?? 0) + 1);
    }
    const share = (host: string): number => (first.get(host) ?? 0) / 400;
    // Binomial with n = 400: five standard deviations are below 0.13.
    expect(Math.abs(share('10.0.0.1') - 0.525)).toBeLessThan(0.13);
    expect(Math.abs(share('10.0.0.2') - 0.175)).toBeLessThan(0.13);
    expect(Math.abs(share('10.0.1.44') + share('10.0.1.45') - 0.3)).toBeLessThan(0.13);
    expect(share('10.0.0.3') + share('10.0.0.4')).toBe(0);
  });

  it('keeps the servers of an IDC together, the leading one drawn by share, the others as they are ranked', async () => {
    // a keeps half, b can carry 35 %, the rest goes to the cloud.
    const half = (from: number, healthy: number) =>
      many(8, from).map((one, at) => ({ ...one, health: at < healthy ? 'passing' : 'critical' }) as const);
    let random = 0;
    const { ask, registry } = await startDns(rs(half(1, 3), half(300, 2), many(2, 600)), {
      random: () => random,
    });
    const idcOf = (host: string) =>
      host.startsWith('10.0.0.') ? 'a' : host.startsWith('10.0.1.') ? 'b' : 'cloud';
    const order = async () => [
      ...new Set(hosts(await ask(NAME, 'A')).map((host, _, all) => `${idcOf(host)}${all.length}`)),
    ];
    // Shares are 52, 35 and 13 %.
    for (const [drawn, expected] of [
      [0, ['a7', 'b7', 'cloud7']],
      [0.5, ['a7', 'b7', 'cloud7']],
      [0.6, ['b7', 'a7', 'cloud7']],
      [0.86, ['b7', 'a7', 'cloud7']],
      [0.9, ['cloud7', 'a7', 'b7']],
      [0.999999, ['cloud7', 'a7', 'b7']],
    ] as const) {
      random = drawn;
      expect(await order()).toEqual(expected);
      const list = hosts(await ask(NAME, 'A')).map(idcOf);
      // Together: no IDC comes back once another one began.
      expect(list.filter((idc, at) => idc !== list[at - 1])).toHaveLength(3);
    }
    registry.set('local/rs', { providers: many(8), rejected: [], complete: true });
    await expect.poll(order).toEqual(['a8']);
  });

  it('lists the local IDC only while it can carry everything', async () => {
    const { ask } = await startDns(rs(many(3), many(3, 300)));
    expect(hosts(await ask(NAME, 'A')).sort()).toEqual(['10.0.0.1', '10.0.0.2', '10.0.0.3']);
  });

  it('gives SRV with port, weight and the rank of the IDC as priority, and the addresses of the targets', async () => {
    const { ask } = await startDns(rs([provider(1, { weight: 20 })], [provider(300, { weight: 16 })]));
    const reply = await ask('rs.b.6379.idc.local', 'SRV', opt(1232));
    expect((reply.answers as SrvAnswer[]).map(({ data }) => data)).toEqual([
      { priority: 0, weight: 16, port: 6379, target: '0a00012c.addr.idc.local' },
      { priority: 1, weight: 20, port: 6379, target: '0a000001.addr.idc.local' },
    ]);
    expect(reply.additionals?.filter(({ type }) => type === 'A')).toMatchObject([
      { name: '0a00012c.addr.idc.local', data: '10.0.1.44' },
      { name: '0a000001.addr.idc.local', data: '10.0.0.1' },
    ]);
    expect(hosts(await ask('0a00012c.addr.idc.local', 'A'))).toEqual(['10.0.1.44']);
    expect(hosts(await ask('20010db8000000000000000000000009.addr.idc.local', 'AAAA'))).toEqual([
      '2001:db8::9',
    ]);
  });
});

describe('sizes', () => {
  it('cuts an answer at 512 bytes without EDNS, says so, and gives the whole over TCP', async () => {
    const { ask, dns } = await startDns(rs(many(100)));
    const reply = await ask(NAME, 'A');
    expect(reply.flag_tc).toBe(true);
    expect(reply.answers!.length).toBe(29);
    const [whole] = await askTcp(dns.port, question(NAME, 'A'));
    expect(read(whole).flag_tc).toBe(false);
    expect(new Set(hosts(read(whole))).size).toBe(100);
  });

  it('honours the size of EDNS up to 1232 bytes and echoes OPT', async () => {
    const { ask, dns } = await startDns(rs(many(100)));
    const reply = await ask(NAME, 'A', opt(4096, { flags: 0x8000 }));
    expect(reply.additionals).toMatchObject([{ type: 'OPT', udpPayloadSize: 1232, flag_do: true }]);
    const bytes = (await askUdp(dns.port, question(NAME, 'A', opt(900))))!;
    expect(bytes.length).toBeLessThanOrEqual(900);
    expect(bytes.length).toBeGreaterThan(880);
    expect(reply.answers!.length).toBe(74);
  });

  it('leaves addresses of targets out before it cuts SRV records', async () => {
    const { ask } = await startDns(rs(many(9)));
    const reply = await ask(NAME, 'SRV');
    expect(reply.flag_tc).toBe(false);
    expect(reply.answers!.length).toBe(9);
    expect(reply.additionals!.length).toBeLessThan(9);
  });

  it('carries 3,000 servers over TCP', async () => {
    const { dns } = await startDns(rs(many(3000)));
    const [bytes] = await askTcp(dns.port, question(NAME, 'A'));
    expect(read(bytes).answers!.length).toBe(3000);
  });

  it('answers several questions of one TCP connection', async () => {
    const { dns } = await startDns(rs(many(2)));
    const answers = await askTcp(
      dns.port,
      question(NAME, 'A'),
      question('rs.b.6379', 'SRV'),
      question('x', 'A'),
    );
    expect(answers.map((bytes) => read(bytes).rcode).sort()).toEqual(['NOERROR', 'NOERROR', 'REFUSED']);
  });
});

describe('what is no question for us', () => {
  it.each([
    ['another name', question('example.com', 'A'), 'REFUSED'],
    ['another class', question(NAME, 'A', { questions: [{ type: 'A', name: NAME, class: 'CH' }] }), 'NOTIMP'],
    ['another operation', question(NAME, 'A', { flags: 2 << 11 }), 'NOTIMP'],
    ['no question', question(NAME, 'A', { questions: [] }), 'FORMERR'],
    [
      'two questions',
      question(NAME, 'A', {
        questions: [
          { type: 'A', name: NAME },
          { type: 'A', name: 'b' },
        ],
      }),
      'FORMERR',
    ],
    ['a zone transfer', question(NAME, 'AXFR'), 'REFUSED'],
    ['a name cut short', question(NAME, 'A').subarray(0, 20), 'FORMERR'],
  ])('answers %s with a code that says so', async (_, bytes, rcode) => {
    const { dns } = await startDns(rs(many(1)));
    expect(read(await askUdp(dns.port, bytes)).rcode).toBe(rcode);
  });

  it('tells a client with another version of EDNS which one it speaks', async () => {
    const { ask } = await startDns(rs(many(1)));
    const reply = await ask(NAME, 'A', opt(1232, { ednsVersion: 1 }));
    expect(reply.additionals).toMatchObject([{ type: 'OPT', extendedRcode: 1, ednsVersion: 0 }]);
  });

  it('does not answer answers, nor bytes too short to be anything', async () => {
    const { dns, ask } = await startDns(rs(many(1)));
    expect(await askUdp(dns.port, question(NAME, 'A', { type: 'response' }), 50)).toBeUndefined();
    expect(await askUdp(dns.port, Buffer.from([1, 2, 3]), 50)).toBeUndefined();
    expect((await ask(NAME, 'A')).rcode).toBe('NOERROR');
    expect(dns.stats()).toMatchObject({ dropped: 2, answers: { NOERROR: 1 } });
  });

  it('survives any bytes', async () => {
    const { dns, ask } = await startDns(rs(many(3)), { readyTimeoutMs: 20 });
    const socket = createSocket('udp4');
    onTestFinished(() => void socket.close());
    const valid = question(NAME, 'SRV', opt(1232));
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 80 }),
      // A question with some bytes changed gets further.
      fc.array(fc.tuple(fc.nat(valid.length - 1), fc.nat(255)), { maxLength: 4 }).map((changes) => {
        const copy = Uint8Array.from(valid);
        for (const [at, value] of changes) copy[at] = value;
        return copy;
      }),
    );
    await fc.assert(
      fc.asyncProperty(bytes, async (one) => {
        await new Promise((resolve) => socket.send(one, dns.port, '127.0.0.1', resolve));
        if (one.length >= 12) await askTcp(dns.port, question(NAME, 'A')).then(([reply]) => read(reply));
      }),
      { numRuns: 300 },
    );
    expect((await ask(NAME, 'A')).rcode).toBe('NOERROR');
    expect(dns.stats().answers['SERVFAIL'] ?? 0).toBeLessThan(20);
  });
});

describe('bounds', () => {
  it('watches no more names for clients than it may, and keeps those in use', async () => {
    const { dns, ask, registry } = await startDns(rs(many(1)), { maxNames: 3, readyTimeoutMs: 10 });
    expect((await ask(NAME, 'A')).rcode).toBe('NOERROR');
    for (let turn = 0; turn < 10; turn++)
      expect((await ask(`made-up-${turn}.a.1.idc.local`, 'A')).rcode).toBe('SERVFAIL');
    const { names, tooManyNames } = dns.stats();
    expect(names).toBe(3);
    // Places change hands only so often, lest made-up names become a flood of watches at the registry.
    expect(tooManyNames).toBeGreaterThanOrEqual(4);
    expect(registry.opened.get('local/rs')).toBe(1);
    expect((await ask(NAME, 'A')).rcode).toBe('NOERROR');
  });

  it('gives the place of the made-up name that was asked for longest ago to a new one, and stops its watch', async () => {
    const { dns, ask, registry, resolver } = await startDns(rs(many(1)), { maxNames: 2, readyTimeoutMs: 10 });
    for (const name of ['old', 'young']) {
      for (const idc of ['local', 'b', 'cloud']) registry.set(`${idc}/${name}`, listOf([]));
      expect((await ask(`${name}.a.1.idc.local`, 'A')).rcode).toBe('NXDOMAIN');
    }
    expect((await ask(NAME, 'A')).rcode).toBe('NOERROR');
    expect(dns.stats()).toMatchObject({ names: 2, tooManyNames: 0 });
    expect(resolver.names()).toEqual(['young.a.1', 'rs.a.6379']);
    await expect.poll(() => registry.open).toBe(6);
  });

  it('leaves a name to those who subscribe to it, and to those who wait for it', async () => {
    const { ask, registry, resolver } = await startDns(rs(many(1)), { maxNames: 1, readyTimeoutMs: 2000 });
    const subscription = resolver.subscribe('made-up.a.6379', () => undefined);
    const waiting = ask('made-up.a.6379.idc.local', 'A');
    await expect.poll(() => registry.opened.get('local/made-up')).toBe(1);
    expect((await ask(NAME, 'A')).rcode).toBe('SERVFAIL');
    registry.set('local/made-up', listOf(many(1, 7)));
    expect(hosts(await waiting)).toEqual(['10.0.0.7']);
    expect(resolver.forget('made-up.a.6379')).toBe(false);
    subscription.unsubscribe();
    expect(resolver.forget('made-up.a.6379')).toBe(true);
  });

  it('makes room when names have been idle', async () => {
    const { ask } = await startDns(rs(many(1)), { maxNames: 1, readyTimeoutMs: 10, nameIdleMs: 20 });
    expect((await ask('made-up.a.1.idc.local', 'A')).rcode).toBe('SERVFAIL');
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect((await ask(NAME, 'A')).rcode).toBe('NOERROR');
  });

  it('refuses what it cannot serve', async () => {
    const resolver = createResolver({
      topology: createTopology({ local: 'a', idcs: [{ name: 'a' }] }),
      providers: () => ({ description: 'none', values: () => (async function* () {})() }),
    });
    const start = (options: object) => createDnsServer({ resolver, listen: { port: 0 }, ...options });
    await expect(start({ suffix: 'not a domain' })).rejects.toMatchObject({ code: 'BAD_SUFFIX' });
    await expect(start({ suffix: 'idc.6379' })).rejects.toMatchObject({ code: 'BAD_SUFFIX' });
    await expect(start({ forward: ['resolver.example'] })).rejects.toMatchObject({ code: 'BAD_FORWARDER' });
    await resolver.close();
  });
});

describe('forwarding', () => {
  it('asks other resolvers for other names, in order, under an id of its own', async () => {
    const seen: number[] = [];
    const other = createSocket('udp4', (bytes, from) => {
      seen.push(bytes.readUInt16BE(0));
      const reply = Buffer.from(bytes);
      reply[2]! |= 0x80;
      reply[3] = 0x83;
      // A forged answer with the wrong id must not be taken for the real one.
      const forged = Buffer.from(reply);
      forged.writeUInt16BE(bytes.readUInt16BE(0) ^ 1);
      forged[3] = 0x85;
      other.send(forged, from.port, from.address);
      other.send(reply, from.port, from.address);
    });
    await new Promise<void>((resolve) => other.bind(0, '127.0.0.1', resolve));
    onTestFinished(() => void other.close());
    const silent = createSocket('udp4');
    await new Promise<void>((resolve) => silent.bind(0, '127.0.0.1', resolve));
    onTestFinished(() => void silent.close());
    const port = (socket: typeof other): number => socket.address().port;
    const { ask, dns } = await startDns(rs(many(1)), {
      forward: [`127.0.0.1:${port(silent)}`, `127.0.0.1:${port(other)}`],
      forwardTimeoutMs: 50,
    });
    const replies = await Promise.all([ask('example.com', 'A'), ask('example.org', 'MX'), ask('x', 'A')]);
    expect(replies.map(({ rcode, id }) => [rcode, id])).toEqual(Array(3).fill(['NXDOMAIN', 4711]));
    expect(new Set(seen).size).toBeGreaterThan(1);
    expect((await ask(NAME, 'A')).flag_ra).toBe(true);
    expect(dns.stats().forwarded).toBe(3);
  });

  it('forwards over TCP what came over TCP', async () => {
    const { dns: other } = await startDns(rs(many(100)), { suffix: 'other.example' });
    const { dns } = await startDns(rs(many(1)), { forward: [`127.0.0.1:${other.port}`] });
    const [whole] = await askTcp(dns.port, question('rs.a.6379.other.example', 'A'));
    expect(read(whole).answers!.length).toBe(100);
    expect(read(whole).id).toBe(4711);
    const cut = read(await askUdp(dns.port, question('rs.a.6379.other.example', 'A')));
    expect([cut.flag_tc, cut.answers!.length]).toEqual([true, 29]);
  });

  it('fails when nobody answers in time', async () => {
    const silent = createSocket('udp4');
    await new Promise<void>((resolve) => silent.bind(0, '127.0.0.1', resolve));
    onTestFinished(() => void silent.close());
    const { ask } = await startDns(rs(many(1)), {
      forward: [`127.0.0.1:${silent.address().port}`],
      forwardTimeoutMs: 20,
    });
    expect((await ask('example.com', 'A')).rcode).toBe('SERVFAIL');
  });
});
