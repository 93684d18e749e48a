import { createSocket } from 'node:dgram';
import { describe, expect, it, onTestFinished } from 'vitest';
import { rs, startDns } from '../../helpers/dns.ts';
import { provider } from '../../helpers/motan-providers.ts';

/** A resolver that answers everything with one code. */
async function resolverThatSays(rcode: number): Promise<string> {
  const socket = createSocket('udp4', (bytes, from) => {
    const reply = Buffer.from(bytes);
    reply[2]! |= 0x80;
    reply[3] = 0x80 | rcode;
    socket.send(reply, from.port, from.address);
  });
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  onTestFinished(() => void socket.close());
  return `127.0.0.1:${socket.address().port}`;
}

describe('forwarding', () => {
  it.each([
    ['the second where the first fails', [2, 0], 'NOERROR'],
    ['the second where the first refuses', [5, 3], 'NXDOMAIN'],
    ['the first that says more than that it cannot', [4, 2, 3, 0], 'NXDOMAIN'],
    ['the first refusal where none says more', [5, 2], 'REFUSED'],
  ])('takes the answer of %s', async (_, codes, expected) => {
    const forward = await Promise.all(codes.map(resolverThatSays));
    const { ask } = await startDns(rs([provider(1)]), { forward });
    expect((await ask('example.com', 'A')).rcode).toBe(expected);
  });
});
