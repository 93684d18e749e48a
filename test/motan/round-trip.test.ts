import { once } from 'node:events';
import { createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { findLocalIp } from '../../src/motan/local-ip.ts';
import { measureByConnecting, steadied, trimmedMean } from '../../src/motan/round-trip.ts';

describe('trimmedMean', () => {
  it('leaves out the lowest and the highest fifth', () => {
    expect(trimmedMean([1, 2, 3, 4, 1000])).toBe(3);
    expect(trimmedMean([5])).toBe(5);
  });
});

describe('steadied', () => {
  it.each([
    [undefined, 5, 5],
    [10, 11.5, 10],
    [10, 13, 13],
    [10, 7, 7],
    [10, undefined, undefined],
  ])('from %s and a new %s goes on with %s', (before, measured, next) => {
    expect(steadied(before, measured)).toBe(next);
  });
});

describe('measureByConnecting', () => {
  it('measures servers that answer and gives up on those that do not', async () => {
    const server = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    const { signal } = new AbortController();
    expect(await measureByConnecting([{ host: '127.0.0.1', port }], signal)).toBeGreaterThan(0);
    server.close();
    await once(server, 'close');
    expect(await measureByConnecting([{ host: '127.0.0.1', port }], signal)).toBeUndefined();
  });
});

describe('findLocalIp', () => {
  const address = (text: string, internal = false) => ({ address: text, family: 'IPv4', internal }) as never;
  const interfaces = {
    lo: [address('127.0.0.1', true)],
    one: [address('10.1.0.1')],
    two: [address('192.168.0.1')],
  };

  it('follows the environment, then the interfaces', () => {
    expect(findLocalIp({ MOTAN_LOCAL_IP: '1.2.3.4' }, interfaces)).toBe('1.2.3.4');
    expect(findLocalIp({ MOTAN_IP_PREFIX: '192.' }, interfaces)).toBe('192.168.0.1');
    expect(findLocalIp({ MOTAN_IP_PREFIX: '172.' }, interfaces)).toBe('10.1.0.1');
    expect(findLocalIp({}, {})).toBe('127.0.0.1');
  });
});
