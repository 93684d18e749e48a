import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Indexes } from '../../../../src/discovery/embedded/store/indexes.ts';
import { KvStore } from '../../../../src/discovery/embedded/store/kv.ts';

function createKv() {
  const indexes = new Indexes();
  return { indexes, kv: new KvStore(indexes) };
}

const key = fc.string({ unit: fc.constantFrom('a', 'b', '/'), maxLength: 4 });
const step = fc.oneof(
  fc.record({ act: fc.constant('put' as const), key, value: fc.constantFrom('1', '2') }),
  fc.record({ act: fc.constant('delete' as const), key }),
  fc.record({ act: fc.constant('deleteTree' as const), key }),
);

describe('the key/value store', () => {
  it('holds what a plain map would hold, in key order', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), key, (steps, prefix) => {
        const { kv } = createKv();
        const model = new Map<string, string>();
        for (const one of steps) {
          if (one.act === 'put') model.set(one.key, one.value);
          else
            for (const other of [...model.keys()])
              if (other === one.key || (one.act === 'deleteTree' && other.startsWith(one.key)))
                model.delete(other);
          if (one.act === 'put') kv.put(one.key, Buffer.from(one.value));
          else kv[one.act](one.key);
        }
        const expected = [...model]
          .filter(([name]) => name.startsWith(prefix))
          .sort(([a], [b]) => (a < b ? -1 : 1));
        const { entries } = kv.list(prefix);
        expect(entries.map((entry) => [entry.key, entry.value.toString()])).toEqual(expected);
        const { body } = kv.listJson(prefix);
        expect(body === undefined ? [] : (JSON.parse(body.toString()) as unknown[])).toHaveLength(
          expected.length,
        );
      }),
    );
  });

  it("never lets a prefix's index fall, and raises it whenever what is below changed", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), key, (steps, prefix) => {
        const { kv } = createKv();
        let before = { index: kv.prefixIndex(prefix), text: '' };
        for (const one of steps) {
          if (one.act === 'put') kv.put(one.key, Buffer.from(one.value));
          else kv[one.act](one.key);
          const after = {
            index: kv.prefixIndex(prefix),
            text: kv
              .list(prefix)
              .entries.map((entry) => `${entry.key}=${entry.value.toString()}`)
              .join(),
          };
          if (before.text !== '') expect(after.index).toBeGreaterThanOrEqual(before.index);
          if (after.text !== before.text) expect(after.index).toBeGreaterThan(before.index);
          before = after;
        }
      }),
    );
  });

  it('wakes exactly the watchers of a changed key and of the prefixes above it', () => {
    const { indexes, kv } = createKv();
    const woken: string[] = [];
    for (const topic of ['kv^', 'kv^a', 'kv^a/', 'kv^a/b', 'kv^b', 'kv=a/b', 'kv=a'])
      indexes.watch([topic], () => woken.push(topic));
    kv.put('a/b', Buffer.from('1'));
    expect(woken.sort()).toEqual(['kv=a/b', 'kv^', 'kv^a', 'kv^a/', 'kv^a/b']);
  });

  it('tells watchers after the write is whole', () => {
    const { indexes, kv } = createKv();
    let seen = 0;
    kv.put('a/1', Buffer.from('1'));
    kv.put('a/2', Buffer.from('1'));
    indexes.watch(['kv^a/'], () => (seen = kv.list('a/').entries.length + 10));
    kv.deleteTree('a/');
    expect(seen).toBe(10);
  });

  it('folds old tombstones into the floor of all indexes instead of growing without end', () => {
    const { indexes, kv } = createKv();
    kv.put('kept', Buffer.from('1'));
    for (let at = 0; at < 66_000; at++) {
      kv.put(`gone/${at}`, Buffer.from('1'));
      kv.delete(`gone/${at}`);
    }
    expect(indexes.floor).toBeGreaterThan(1);
    expect(kv.prefixIndex('gone/')).toBe(indexes.current);
    expect(kv.prefixIndex('kept')).toBeGreaterThanOrEqual(indexes.floor);
  });

  it('keeps the text of a list until the next write, for all who ask', () => {
    const { kv } = createKv();
    kv.put('a', Buffer.from('1'));
    const { body } = kv.listJson('');
    expect(kv.listJson('').body).toBe(body);
    kv.put('b', Buffer.from('1'));
    expect(kv.listJson('').body).not.toBe(body);
  });
});
