import { encode } from 'dns-packet';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addressLabel, addressOfLabel } from '../../../src/motan/dns/records.ts';
import { weightedOrder } from '../../../src/motan/weighted-order.ts';
import { labelsOf, readQuery } from '../../../src/motan/dns/wire.ts';

const label = fc.stringMatching(/^[a-zA-Z0-9-]{1,63}$/);

describe('readQuery', () => {
  it('reads what dns-packet writes', () => {
    fc.assert(
      fc.property(fc.array(label, { minLength: 1, maxLength: 3 }), fc.nat(65_535), (labels, id) => {
        const name = labels.join('.');
        const query = readQuery(encode({ type: 'query', id, questions: [{ type: 'AAAA', name }] }));
        expect(query).toMatchObject({ id, type: 28, class: 1, edns: undefined });
        expect('key' in query && labelsOf(query.key)).toEqual(labels.map((one) => one.toLowerCase()));
      }),
    );
  });

  it('never throws, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
        readQuery(Buffer.from(bytes));
      }),
      { numRuns: 2000 },
    );
  });
});

describe('names of addresses', () => {
  it.each([
    ['127.0.1.1', '7f000101', '127.0.1.1'],
    ['2001:db8::9', '20010db8000000000000000000000009', '2001:0db8:0000:0000:0000:0000:0000:0009'],
    ['::ffff:10.0.0.1', '00000000000000000000ffff0a000001', '0000:0000:0000:0000:0000:ffff:0a00:0001'],
    ['::', '0'.repeat(32), '0000:0000:0000:0000:0000:0000:0000:0000'],
  ])('turns %s into a label and back', (host, expected, back) => {
    expect(addressLabel(host)).toBe(expected);
    expect(addressOfLabel(expected)?.host).toBe(back);
  });

  it('has none for what is no address', () => {
    expect(addressLabel('db.example')).toBeUndefined();
    expect(addressOfLabel('7f00010')).toBeUndefined();
  });
});

describe('weightedOrder', () => {
  it('is a permutation that keeps ranks apart and items without weight last', () => {
    const item = fc.record({ weight: fc.integer({ min: 0, max: 100 }), rank: fc.nat(3) });
    fc.assert(
      fc.property(
        fc.array(item, { maxLength: 80 }),
        fc.infiniteStream(fc.double({ min: 0, max: 0.999 })),
        (items, stream) => {
          const random = (): number => stream.next().value!;
          const order = [
            ...weightedOrder(
              items.map(({ weight }) => weight),
              random,
              items.map(({ rank }) => rank),
            ),
          ];
          expect([...order].sort((a, b) => a - b)).toEqual(items.map((_, at) => at));
          const ranked = order.map((at) => items[at]!);
          for (let at = 1; at < ranked.length; at++) {
            const [before, now] = [ranked[at - 1]!, ranked[at]!];
            expect(before.rank).toBeLessThanOrEqual(now.rank);
            if (before.rank === now.rank && before.weight === 0) expect(now.weight).toBe(0);
          }
        },
      ),
    );
  });
});
