import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { openSource } from '../../src/discovery/open.ts';
import { findEtcd, RunningEtcd } from '../helpers/etcd.ts';
import { ListReader, summary } from '../helpers/reading-lists.ts';
import { sourceOptions } from '../helpers/source-options.ts';

const binary = findEtcd();
if (binary === undefined) it('has nothing to prove here: no etcd on this machine', () => undefined);
else
  describe('etcd sources against a real etcd', () => {
    let etcd: RunningEtcd;
    let readers: ListReader[] = [];
    beforeAll(async () => {
      etcd = await RunningEtcd.start(binary);
    });
    afterEach(async () => {
      await Promise.all(readers.map((reader) => reader.stop().catch(() => false)));
      readers = [];
    });
    afterAll(() => etcd.stop());
    const follow = (path: string, more = {}): ListReader => {
      const options = sourceOptions({ type: 'etcd', path, addresses: [etcd.url], ...more });
      const reader = new ListReader(openSource(options));
      readers.push(reader);
      return reader;
    };

    describe('the v2 keys API', () => {
      it('takes a folder that does not exist, and then is empty, for an empty list', async () => {
        const reader = follow('/v2/keys/v2/later');
        expect((await reader.next()).servers).toEqual([]);
        await etcd.v2('/v2/later/10.0.0.1:80', '{"weight":3}');
        expect(summary(await reader.next())).toEqual(['10.0.0.1:80*3']);
        await etcd.v2('/v2/later/10.0.0.1:80', undefined);
        expect((await reader.next()).servers).toEqual([]);
        await etcd.v2('/v2/later/10.0.0.2:80', '');
        expect(summary(await reader.next())).toEqual(['10.0.0.2:80']);
      });

      it('sees a key expire, and a folder deleted whole', async () => {
        await etcd.v2('/v2/ttl/10.0.0.1:80', '');
        await etcd.v2('/v2/ttl/10.0.0.2:80', '', '&ttl=1');
        const reader = follow('/v2/keys/v2/ttl');
        expect((await reader.next()).servers).toHaveLength(2);
        expect(summary(await reader.next())).toEqual(['10.0.0.1:80']);
        await etcd.v2('/v2/ttl', undefined);
        expect((await reader.next()).servers).toEqual([]);
      });

      it('reads only direct children, and keeps a server whose value is no JSON', async () => {
        await etcd.v2('/v2/deep/10.0.0.1:80', 'nonsense');
        await etcd.v2('/v2/deep/folder/10.0.0.2:80', '');
        const list = await follow('/v2/keys/v2/deep').next();
        expect(summary(list)).toEqual(['10.0.0.1:80']);
        expect(list.rejected.map(({ code }) => code)).toEqual(['BAD_JSON']);
      });

      it('reads the list again when etcd has forgotten the events since', async () => {
        await etcd.v2('/v2/old/10.0.0.1:80', '');
        const reader = follow('/v2/keys/v2/old');
        await reader.next();
        // The source is not waiting yet, and etcd keeps the last thousand events only.
        await etcd.v2('/v2/old/10.0.0.1:80', '{"weight":2}');
        for (let turn = 0; turn < 1100; turn += 50)
          await Promise.all(Array.from({ length: 50 }, (_, at) => etcd.v2('/v2/noise', String(turn + at))));
        expect(summary(await reader.next(10_000))).toEqual(['10.0.0.1:80*2']);
      });
    });

    describe('the v3 gateway', () => {
      it('follows puts and deletes under its prefix only', async () => {
        const reader = follow('/v3/test/');
        expect((await reader.next()).servers).toEqual([]);
        await etcd.put('/v3/test/10.0.0.1:80', '{"weight":3}');
        expect(summary(await reader.next())).toEqual(['10.0.0.1:80*3']);
        await etcd.put('/v3/test2/10.0.0.9:80', '');
        expect(await reader.isQuiet(100)).toBe(true);
        await etcd.put('/v3/test/[::1]:80', '{"backup":1}');
        expect(summary(await reader.next())).toEqual(['10.0.0.1:80*3', '[::1]:80 backup']);
        await etcd.delete('/v3/test/10.0.0.1:80');
        expect(summary(await reader.next())).toEqual(['[::1]:80 backup']);
      });

      it('reads the list again when its revision was compacted away', async () => {
        await etcd.put('/v3/compact/10.0.0.1:80', '');
        const reader = follow('/v3/compact/');
        await reader.next();
        for (const weight of [2, 3, 4]) await etcd.put('/v3/compact/10.0.0.1:80', JSON.stringify({ weight }));
        const { header } = (await etcd.v3('/kv/range', { key: 'YQ==' })) as { header: { revision: string } };
        await etcd.v3('/kv/compaction', { revision: header.revision });
        expect(summary(await reader.next())).toEqual(['10.0.0.1:80*4']);
        await etcd.put('/v3/compact/10.0.0.1:80', '{"weight":5}');
        expect(summary(await reader.next())).toEqual(['10.0.0.1:80*5']);
      });

      it('goes on after a watch has run into its time limit', async () => {
        const reader = follow('/v3/limit/', { timeoutMs: 200 });
        await reader.next();
        expect(await reader.isQuiet(500)).toBe(true);
        await etcd.put('/v3/limit/10.0.0.1:80', '');
        expect(summary(await reader.next())).toEqual(['10.0.0.1:80']);
      });

      it('loses no change among many', async () => {
        const reader = follow('/v3/many/', { intervalMs: 600_000 });
        await reader.next();
        for (let weight = 2; weight < 60; weight++)
          await etcd.put('/v3/many/10.0.0.1:80', JSON.stringify({ weight }));
        while (summary(await reader.next()).join() !== '10.0.0.1:80*59');
      });
    });
  });
