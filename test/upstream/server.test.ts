import { describe, expect, it } from 'vitest';
import { createServer } from '../../src/upstream/server.ts';

describe('createServer', () => {
  it.each([
    { weight: 0 },
    { weight: Number.NaN },
    { weight: 1.5 },
    { weight: 1_000_001 },
    { maxFails: -1 },
    { failTimeoutMs: Number.NaN },
    { maxConns: Number.POSITIVE_INFINITY },
    { slowStartMs: -1 },
  ])('refuses %o, which would leave servers without requests', (wrong) => {
    expect(() => createServer('10.0.0.1:80', wrong)).toThrow(RangeError);
  });

  it('takes the edges of each range', () => {
    const zeros = { maxFails: 0, failTimeoutMs: 0, maxConns: 0, slowStartMs: 0 };
    expect(createServer('10.0.0.1:80', { weight: 1_000_000, ...zeros })).toMatchObject(zeros);
  });
});
