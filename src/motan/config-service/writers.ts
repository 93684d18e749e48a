import { BlockList, isIP } from 'node:net';
import { UpsyncError } from '../../upstream/errors.ts';

/**
 * The addresses that may change something: `10.0.0.7`, `10.0.0.0/8`, `2001:db8::/32`. Gives a test of a peer's address.
 * @throws {UpsyncError} BAD_WRITER
 */
export function writersOf(
  addresses: readonly string[] | undefined,
): (address: string | undefined) => boolean {
  if (addresses === undefined) return () => true;
  const list = new BlockList();
  for (const text of addresses) {
    const [, host = '', bits] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
    const version = isIP(host);
    const most = version === 4 ? 32 : 128;
    const prefix = bits === undefined ? most : Number(bits);
    if (version === 0 || prefix > most)
      throw new UpsyncError(
        'BAD_WRITER',
        `${JSON.stringify(text.slice(0, 60))} is no address that may write: expected 10.0.0.7 or 10.0.0.0/8`,
      );
    list.addSubnet(host, prefix, version === 4 ? 'ipv4' : 'ipv6');
  }
  return (address) => {
    // A socket for both kinds shows IPv4 peers as ::ffff:10.0.0.7.
    const plain = address?.replace(/^::ffff:(?=\d+\.)/i, '') ?? '';
    const version = isIP(plain);
    return version !== 0 && list.check(plain, version === 4 ? 'ipv4' : 'ipv6');
  };
}
