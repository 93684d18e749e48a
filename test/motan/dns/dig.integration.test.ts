import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { rs, startDns } from '../../helpers/dns.ts';
import { provider } from '../../helpers/motan-providers.ts';

const run = promisify(execFile);
const many = (count: number) => Array.from({ length: count }, (_, at) => provider(1 + at));

async function dig(port: number, ...words: readonly string[]): Promise<string> {
  const { stdout } = await run('dig', ['@127.0.0.1', '-p', String(port), '+tries=1', '+time=3', ...words]);
  return stdout;
}

describe('dig', () => {
  it('reads A, AAAA and SRV', async () => {
    const v6 = provider(7, { host: '2001:db8::7', address: '[2001:db8::7]:6379' });
    const { dns } = await startDns(rs([provider(1), v6], [provider(300, { weight: 16 })]));
    expect(await dig(dns.port, '+short', 'rs.a.6379', 'A')).toBe('10.0.0.1\n');
    expect(await dig(dns.port, '+short', 'rs.a.6379.idc.local', 'AAAA')).toBe('2001:db8::7\n');
    const srv = (await dig(dns.port, '+short', 'rs.a.6379.idc.local', 'SRV')).trim().split('\n').sort();
    expect(srv).toEqual([
      '0 1 6379 0a000001.addr.idc.local.',
      '0 1 6379 20010db8000000000000000000000007.addr.idc.local.',
      '1 16 6379 0a00012c.addr.idc.local.',
    ]);
    const whole = await dig(dns.port, 'rs.a.6379.idc.local', 'SRV');
    expect(whole).toMatch(/0a00012c\.addr\.idc\.local\.\s+5\s+IN\s+A\s+10\.0\.1\.44/);
    expect(whole).not.toMatch(/malformed|extra bytes/i);
  });

  it('comes back over TCP when an answer does not fit', async () => {
    const { dns } = await startDns(rs(many(100)));
    const small = await dig(dns.port, '+noedns', '+ignore', 'rs.a.6379.idc.local', 'A');
    expect(small).toMatch(/flags: qr aa tc rd;/);
    const retried = await dig(dns.port, '+bufsize=600', 'rs.a.6379.idc.local', 'A');
    expect(retried).toMatch(/ANSWER: 100/);
    expect(retried).toMatch(/\(TCP\)/);
    expect(await dig(dns.port, '+tcp', 'rs.a.6379.idc.local', 'A')).toMatch(/ANSWER: 100/);
  });

  it('tells NXDOMAIN from a type that is not there', async () => {
    const { dns } = await startDns(rs(many(1)));
    expect(await dig(dns.port, 'rs.z.6379.idc.local', 'A')).toMatch(/status: NXDOMAIN[\s\S]*IN\s+SOA/);
    expect(await dig(dns.port, 'rs.a.6379.idc.local', 'MX')).toMatch(
      /status: NOERROR[\s\S]*ANSWER: 0, AUTHORITY: 1[\s\S]*IN\s+SOA/,
    );
    expect(await dig(dns.port, 'example.com', 'A')).toMatch(/status: REFUSED/);
  });
});
