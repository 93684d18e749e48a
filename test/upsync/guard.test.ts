import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createServer } from '../../src/upstream/server.ts';
import { type GuardOptions, judgeList } from '../../src/upsync/guard.ts';

const servers = (...hosts: number[]) => hosts.map((host) => createServer(`10.0.0.${host}:80`));
const refused = [{ where: 'key', code: 'BAD_ADDRESS', reason: 'bad' }];

describe('an empty list', () => {
  test.each<[string, GuardOptions, boolean, string]>([
    ['is kept out by default', { allowEmpty: false }, false, 'LIST_EMPTY'],
    ['is kept out when every entry was refused', { allowEmpty: false }, true, 'LIST_ALL_REJECTED'],
    [
      'is kept out when every entry was refused, even with allow_empty',
      { allowEmpty: true },
      true,
      'LIST_ALL_REJECTED',
    ],
  ])('%s', (_title, options, bad, code) => {
    const list = { servers: [], rejected: bad ? refused : [] };
    expect(judgeList(list, servers(1), options, undefined, 0)).toMatchObject({ kind: 'keep', code });
  });

  test('is believed with allow_empty', () => {
    const verdict = judgeList({ servers: [], rejected: [] }, servers(1), { allowEmpty: true }, undefined, 0);
    expect(verdict).toEqual({ kind: 'accept', servers: [] });
  });
});

test('a list with refused entries is used for the rest', () => {
  const verdict = judgeList(
    { servers: servers(2), rejected: refused },
    servers(1),
    { allowEmpty: false },
    undefined,
    0,
  );
  expect(verdict).toEqual({ kind: 'accept', servers: servers(2) });
});

describe('a mass removal', () => {
  const options: GuardOptions = { allowEmpty: true, minKeep: 0.5, holdMs: 1000 };
  const list = { servers: servers(9, 1), rejected: [] };

  test('is held while additions count at once, and believed after its time', () => {
    const inForce = servers(1, 2, 3, 4);
    const first = judgeList(list, inForce, options, undefined, 500);
    expect(first).toMatchObject({
      kind: 'hold',
      code: 'LIST_MASS_REMOVAL',
      hold: { releaseAt: 1500 },
      servers: servers(9, 1, 2, 3, 4),
    });
    const hold = first.kind === 'hold' ? first.hold : undefined;
    expect(judgeList(list, servers(9, 1, 2, 3, 4), options, hold, 1499).kind).toBe('hold');
    expect(judgeList(list, servers(9, 1, 2, 3, 4), options, hold, 1500)).toEqual({
      kind: 'accept',
      servers: list.servers,
    });
  });

  test('is no matter when the servers return', () => {
    const back = { servers: servers(1, 2, 3, 4), rejected: [] };
    expect(judgeList(back, servers(1, 2, 3, 4), options, { releaseAt: 1500 }, 600).kind).toBe('accept');
  });

  test('is no matter for lines of a configuration, nor when the cap is off', () => {
    expect(judgeList(list, undefined, options, undefined, 0).kind).toBe('accept');
    expect(judgeList(list, servers(1, 2, 3, 4), { allowEmpty: false }, undefined, 0).kind).toBe('accept');
  });

  test('holds an empty list too', () => {
    const empty = { servers: [], rejected: [] };
    expect(judgeList(empty, servers(1, 2), options, undefined, 0)).toMatchObject({
      kind: 'hold',
      servers: servers(1, 2),
    });
  });
});

test('no verdict empties a list unless that was asked for by an empty list and allowed', () => {
  const hosts = fc.uniqueArray(fc.integer({ min: 1, max: 20 }), { maxLength: 8 });
  fc.assert(
    fc.property(
      hosts,
      hosts,
      fc.boolean(),
      fc.boolean(),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (old, next, bad, allowEmpty, minKeep) => {
        const list = { servers: servers(...next), rejected: bad ? refused : [] };
        const verdict = judgeList(list, servers(...old), { allowEmpty, minKeep }, undefined, 0);
        if (verdict.kind === 'keep') return next.length === 0;
        return verdict.servers.length > 0 || (next.length === 0 && allowEmpty && !bad);
      },
    ),
  );
});
