import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it, onTestFinished } from 'vitest';
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

  // Envoy's table for two priority levels, the second one healthy.
  it.each([
    [100, 100],
    [72, 100],
    [71, 99],
    [50, 70],
    [25, 35],
    [0, 0],
  ])(
    'sends clients that take the first address away as an IDC fails: with %i per cent healthy it keeps %i of a hundred',
    async (healthy, keep) => {
      const a = many(100).map(
        (one, at) => ({ ...one, health: at < healthy ? 'passing' : 'critical' }) as const,
      );
      let turn = 0;
      // Evenly spread over 0..1, so that a thousand answers count to a per cent.
      const random = () => (turn++ * 0.618_033_988_75) % 1;
      const { dns } = await startDns(rs(a, [provider(300)]), { random, maxAnswers: 1 });
      const folder = await mkdtemp(path.join(tmpdir(), 'upsync-dig-'));
      onTestFinished(() => rm(folder, { recursive: true }));
      const questions = path.join(folder, 'questions');
      await writeFile(questions, 'rs.a.6379 A\n'.repeat(1000));
      const answers = (await dig(dns.port, '+short', '-f', questions)).trim().split('\n');
      expect(answers).toHaveLength(1000);
      const kept = answers.filter((host) => host.startsWith('10.0.0.')).length / 10;
      if (keep === 0 || keep === 100) expect(kept).toBe(keep);
      else expect(Math.abs(kept - keep)).toBeLessThan(1);
    },
  );

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
