import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { joinKvEntries, KvReplyReader } from '../../src/discovery/consul-kv-reply.ts';
import { replyOf } from '../helpers/registry-reply.ts';

interface KvItem {
  readonly Key: string;
  readonly Value: string | null;
  readonly ModifyIndex?: number;
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const item = (host: number, weight?: number, ModifyIndex = 1): KvItem => ({
  Key: `ups/a/10.0.0.${host}:80`,
  Value: weight === undefined ? null : base64(JSON.stringify({ weight })),
  ModifyIndex,
});

function reading(): {
  readonly read: (body: unknown, space?: number) => ReturnType<KvReplyReader<number>['read']>;
  readonly asked: string[];
} {
  const asked: string[] = [];
  const reader = new KvReplyReader((key) => asked.push(key));
  return {
    asked,
    read: (body, space) => {
      const text = typeof body === 'string' ? body : JSON.stringify(body, undefined, space);
      // Into the reader's own memory, as the hub does it.
      const reply = replyOf(text);
      const read = reader.read({ ...reply, body: filled(reader.takeMemory(), reply.body) });
      return { ...read, entries: [...read.entries] };
    },
  };
}

describe('KvReplyReader', () => {
  it('gives the same objects for whatever did not change, and reads the rest only', () => {
    const { read, asked } = reading();
    const first = read([item(1, 1), item(2, 1), item(3, 1), item(5, 1)]);
    expect(asked).toHaveLength(4);
    const second = read([item(1, 1), item(2, 7, 2), item(4, 1), item(5, 1)]);
    expect(asked.slice(4)).toEqual(['ups/a/10.0.0.2:80', 'ups/a/10.0.0.4:80']);
    expect(second.entries.map((entry) => first.entries.indexOf(entry))).toEqual([0, -1, -1, 3]);
    expect(second.entries.map(({ server }) => server?.weight)).toEqual([1, 7, 1, 1]);
    expect([first.changed, second.changed]).toEqual([true, true]);
  });

  it('does not take another index, lock or order of fields for another value', () => {
    const { read } = reading();
    const first = read([item(1, 3), item(2)]);
    const { Key, Value } = item(1, 3);
    const second = read([{ Value, Flags: 5, Key, ModifyIndex: 99 }, item(2)], 2);
    expect(second.entries.map((entry) => first.entries.indexOf(entry))).toEqual([0, 1]);
    expect(second.changed).toBe(false);
    expect(read([item(2), item(1, 3)]).changed).toBe(true);
    expect(read([item(2)]).changed).toBe(true);
  });

  it.each(['not base64!', 'eyJ3ZWlnaHQiOjV9!', 'eyJ3ZWlnaHQiOjV9 ', 'e', 'eyJ3-Q_=='])(
    'uses a server whose value is "%s", no base64, with default attributes',
    (Value) => {
      const [entry] = reading().read([{ Key: 'ups/a/10.0.0.1:80', Value }]).entries;
      expect(entry).toMatchObject({ server: { weight: 1 }, rejected: [{ code: 'BAD_JSON' }] });
    },
  );

  it.each(['eyJ3ZWlnaHQiOjV9', 'eyJ3ZWlnaHQiOjUgfQ', 'eyJ3ZWlnaHQiOjV9=and more'])(
    'reads base64 up to its padding: %s',
    (Value) => {
      const [entry] = reading().read([{ Key: 'ups/a/10.0.0.1:80', Value }]).entries;
      expect(entry).toMatchObject({ server: { weight: 5 }, rejected: [] });
    },
  );

  it('sees a change behind thousands of entries, and one that only makes an entry longer', () => {
    const { read } = reading();
    const many = Array.from({ length: 3000 }, (_, at) => ({
      Key: `ups/${String(at).padStart(5, '0')}/10.0.0.1:80`,
      Value: base64('{"weight":1}'),
    }));
    let before = read(many).entries;
    for (const at of [0, 255, 256, 1999, 2999]) {
      const Value = base64('{"weight":10,"max_fails":9}');
      const changed = many.map((entry, place) => (place === at ? { ...entry, Value } : entry));
      const { entries } = read(changed);
      expect(entries.filter((entry) => !before.includes(entry))).toEqual([entries[at]]);
      expect(entries[at]!.server).toMatchObject({ weight: 10, maxFails: 9 });
      before = read(many).entries;
      expect(before.map(({ server }) => server?.weight)).toEqual(many.map(() => 1));
    }
  });

  it('uses the memory of the reply before last again, unless it is far too large', () => {
    const reader = new KvReplyReader(() => undefined);
    const memories = [20, 22, 21, 22, 1, 1, 1, 1].map((count) => {
      const text = JSON.stringify(Array.from({ length: count }, (_, at) => item(100 + at, at + 1)));
      const reply = replyOf(text);
      const body = filled(reader.takeMemory(), reply.body);
      expect(reader.read({ ...reply, body }).entries).toHaveLength(count);
      return body.buffer;
    });
    const of = (at: number): number => memories.indexOf(memories[at]!);
    expect(memories.map((_, at) => of(at))).toEqual([0, 1, 2, 1, 2, 5, 6, 5]);
  });

  it('counts what is no entry, where it stands between entries that did not change', () => {
    const { read } = reading();
    for (const odd of ['1', '12', '"a,]"', '[1,[2]]', 'null', '{"Other":1}', '{"Key":1}']) {
      const { entries, stray } = read(`[${JSON.stringify(item(1))},${odd} ,${JSON.stringify(item(2))}]`);
      expect(entries.map(({ key }) => key)).toEqual(['ups/a/10.0.0.1:80', 'ups/a/10.0.0.2:80']);
      expect(stray).toMatchObject([{ code: 'BAD_ENTRY' }]);
    }
    expect(() => read('[1,2]')).toThrow(expect.objectContaining({ code: 'SOURCE_WRONG_TYPE' }));
  });

  const one = JSON.stringify(item(1));
  it.each([
    ['nothing', ''],
    ['text', 'no'],
    ['an object', '{}'],
    ['an array that is cut off', '['],
    ['an array cut off behind an item', `[${one}`],
    ['an array cut off behind a comma', `[${one},`],
    ['an item that is cut off', `[${one},${one.slice(0, -5)}`],
    ['a cut string', `[${one},"a]`],
    ['a comma too many', `[${one},]`],
    ['a comma too few', `[${one}${one}]`],
    ['two commas', `[${one},,${one}]`],
    ['brackets of two kinds', `[${one},{"Key":"a"]]`],
    ['a word that is no value', `[${one},nul]`],
  ])('refuses %s, and then still knows the reply before', (_what, body) => {
    const { read } = reading();
    const first = read([item(1), item(2)]);
    expect(() => read(body)).toThrow(expect.objectContaining({ code: 'SOURCE_BAD_REPLY' }));
    expect(read([item(2)]).entries).toEqual([first.entries[1]]);
    expect(read([item(2)]).entries[0]).toBe(first.entries[1]);
  });

  it('takes null, an empty array, a 404 and text behind the array as nginx-upsync-module does', () => {
    const { read } = reading();
    for (const body of ['null', '[]', ' [ ] x']) expect(read(body)).toMatchObject({ entries: [], stray: [] });
    expect(read(`\n[ ${one} ] and more`).entries).toHaveLength(1);
    const reader = new KvReplyReader(() => undefined);
    expect(reader.read(replyOf('', 404))).toEqual({ entries: [], changed: true, stray: [] });
  });

  it('reads whatever comes as if it came for the first time', () => {
    const key = fc.oneof(
      fc.integer({ min: 0, max: 12 }).map((host) => `ups/a/10.0.0.${host}:80`),
      fc.constantFrom('ups/é/10.0.0.1:80', 'ups/\u{1F600}/10.0.0.2:80', 'ups/"]},/10.0.0.3:80', 'x', ''),
    );
    const value = fc.option(fc.constantFrom('', '{"weight":2}', '{"weight":3}', '{', 'é').map(base64));
    const entry: fc.Arbitrary<unknown> = fc.record({ Key: key, Value: value, ModifyIndex: fc.nat(2) });
    const odd = fc.constantFrom<unknown>(1, 12, 'a,"]', [1, [{}]], null, {});
    const items = fc.array(fc.oneof({ weight: 9, arbitrary: entry }, { weight: 1, arbitrary: odd }), {
      maxLength: 12,
    });
    const sorted = items.map((all) =>
      all.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)),
    );
    const replies = fc.array(fc.tuple(fc.oneof(items, sorted), fc.constantFrom(0, 0, 0, 1)), {
      maxLength: 8,
    });
    fc.assert(
      fc.property(replies, (all) => {
        const { read } = reading();
        for (const [body, space] of all) expect(outcome(read, body, space)).toEqual(fresh(body));
      }),
    );
  });
});

/** The same bytes, in this memory where there is enough of it. */
function filled(memory: Buffer | undefined, bytes: Buffer): Buffer {
  if (memory === undefined || memory.length < bytes.length) return bytes;
  bytes.copy(memory);
  return memory.subarray(0, bytes.length);
}

type Outcome = readonly unknown[] | string;

function fresh(body: unknown): Outcome {
  return outcome(reading().read, body, 0);
}

function outcome(read: ReturnType<typeof reading>['read'], body: unknown, space: number): Outcome {
  try {
    const { entries, stray } = read(body, space);
    return [entries.map(({ key }) => key), joinKvEntries(entries, stray)];
  } catch (error) {
    return (error as { code: string }).code;
  }
}
