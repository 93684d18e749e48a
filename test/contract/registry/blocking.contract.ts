import { describe, expect, it } from 'vitest';
import { type Answer, get, put, remove, type Running, send, settlesWithin, unique } from './subject.ts';

/** Long enough to be sure that nothing woke a poll, short enough for a test. */
const QUIET_MS = 300;

/** Blocking queries: what wakes a poll, what does not, and with which index it comes back. */
export function blockingContract(running: Running): void {
  const poll = async (path: string, index: number, wait = '10s') =>
    get(running(), `${path}${path.includes('?') ? '&' : '?'}index=${index}&wait=${wait}`);

  // Lets the poll reach the registry before the write that shall wake it.
  const waits = async (answer: Promise<Answer>) => expect(await settlesWithin(answer, QUIET_MS)).toBe(false);

  describe('for blocking queries', () => {
    it('wakes a poll of a prefix on a write below it', async () => {
      const root = unique('wake');
      await put(running(), `/v1/kv/${root}/a`, '1');
      const { index } = await get(running(), `/v1/kv/${root}/?recurse`);
      const answer = poll(`/v1/kv/${root}/?recurse`, index);
      await waits(answer);
      await put(running(), `/v1/kv/${root}/b`, '2');
      expect((await answer).json).toHaveLength(2);
      expect((await answer).index).toBeGreaterThan(index);
    });

    it('leaves it asleep on a write elsewhere', async () => {
      const [root, other] = [unique('own'), unique('other')];
      await put(running(), `/v1/kv/${root}/a`, '1');
      const { index } = await get(running(), `/v1/kv/${root}/?recurse`);
      const answer = poll(`/v1/kv/${root}/?recurse`, index, '1s');
      await put(running(), `/v1/kv/${other}/a`, '2');
      await waits(answer);
      expect((await answer).index).toBe(index);
    });

    it('answers with the same index and data when the wait is over', async () => {
      const root = unique('quiet');
      await put(running(), `/v1/kv/${root}/a`, '1');
      const before = await get(running(), `/v1/kv/${root}/?recurse`);
      const started = Date.now();
      const after = await poll(`/v1/kv/${root}/?recurse`, before.index, '400ms');
      expect(Date.now() - started).toBeGreaterThanOrEqual(390);
      expect([after.index, after.json]).toEqual([before.index, before.json]);
    });

    it('answers at once when the index is already older', async () => {
      const root = unique('behind');
      await put(running(), `/v1/kv/${root}/a`, '1');
      const first = await get(running(), `/v1/kv/${root}/?recurse`);
      await put(running(), `/v1/kv/${root}/a`, '2');
      const answer = await poll(`/v1/kv/${root}/?recurse`, first.index);
      expect(answer.index).toBeGreaterThan(first.index);
    });

    it('waits when the index is of the future, and then tells the lower one', async () => {
      const root = unique('future');
      await put(running(), `/v1/kv/${root}/a`, '1');
      const { index } = await get(running(), `/v1/kv/${root}/?recurse`);
      const answer = await poll(`/v1/kv/${root}/?recurse`, index + 1_000_000, '300ms');
      expect(answer.index).toBe(index);
    });

    it('answers index=0 at once', async () => {
      expect(await settlesWithin(poll(`/v1/kv/${unique('zero')}`, 0, '5s'), 2000)).toBe(true);
    });

    it('tells a deleted tree with 404 and a higher index', async () => {
      const root = unique('gone');
      await put(running(), `/v1/kv/${root}/a`, '1');
      const { index } = await get(running(), `/v1/kv/${root}/?recurse`);
      const answer = poll(`/v1/kv/${root}/?recurse`, index);
      await waits(answer);
      await remove(running(), `/v1/kv/${root}/?recurse`);
      expect((await answer).status).toBe(404);
      expect((await answer).index).toBeGreaterThan(index);
    });

    it('tells one key deleted of many, with an index that does not fall', async () => {
      const root = unique('one');
      await put(running(), `/v1/kv/${root}/a`, '1');
      await put(running(), `/v1/kv/${root}/b`, '2');
      const { index } = await get(running(), `/v1/kv/${root}/?recurse`);
      const answer = poll(`/v1/kv/${root}/?recurse`, index);
      await waits(answer);
      await remove(running(), `/v1/kv/${root}/b`);
      expect((await answer).json).toHaveLength(1);
      expect((await answer).index).toBeGreaterThan(index);
      expect((await get(running(), `/v1/kv/${root}/?recurse`)).index).toBe((await answer).index);
    });

    it('wakes a poll of an empty prefix when its first key comes', async () => {
      const root = unique('first');
      const { index } = await get(running(), `/v1/kv/${root}/?recurse`);
      const answer = poll(`/v1/kv/${root}/?recurse`, index);
      await waits(answer);
      await put(running(), `/v1/kv/${root}/a`, '1');
      expect((await answer).status).toBe(200);
    });

    it('goes on waiting for a missing key while others are written, and wakes when it comes', async () => {
      const [key, other] = [unique('missing'), unique('other')];
      const { index } = await get(running(), `/v1/kv/${key}`);
      const answer = poll(`/v1/kv/${key}`, index);
      await waits(answer);
      await put(running(), `/v1/kv/${other}`, '1');
      await waits(answer);
      await put(running(), `/v1/kv/${key}`, '1');
      expect((await answer).status).toBe(200);
      expect((await answer).index).toBe((await answer).json[0].ModifyIndex);
    });

    it('does not wake for a write that changes nothing', async () => {
      const key = unique('same');
      await put(running(), `/v1/kv/${key}`, '1');
      const { index } = await get(running(), `/v1/kv/${key}`);
      const answer = poll(`/v1/kv/${key}`, index, '1s');
      await put(running(), `/v1/kv/${key}`, '1');
      await waits(answer);
      await answer;
    });

    it('wakes a poll of the keys alone', async () => {
      const root = unique('keys');
      await put(running(), `/v1/kv/${root}/a`, '1');
      const { index } = await get(running(), `/v1/kv/${root}/?keys`);
      const answer = poll(`/v1/kv/${root}/?keys`, index);
      await waits(answer);
      await put(running(), `/v1/kv/${root}/b`, '1');
      expect((await answer).json).toEqual([`${root}/a`, `${root}/b`]);
    });

    it('wakes many polls with one write', async () => {
      const root = unique('many');
      await put(running(), `/v1/kv/${root}/a`, '1');
      const { index } = await get(running(), `/v1/kv/${root}/?recurse`);
      const answers = Array.from({ length: 20 }, async () => poll(`/v1/kv/${root}/?recurse`, index));
      await waits(answers[0]!);
      await put(running(), `/v1/kv/${root}/a`, '2');
      const all = await Promise.all(answers);
      expect(new Set(all.map((answer) => answer.index)).size).toBe(1);
      expect(all[0]!.index).toBeGreaterThan(index);
    });

    it('goes on serving when a poll is given up', async () => {
      const key = unique('abort');
      const { index } = await get(running(), `/v1/kv/${key}`);
      const path = `/v1/kv/${key}?index=${index}&wait=30s`;
      await expect(send(running(), 'GET', path, undefined, AbortSignal.timeout(200))).rejects.toThrow();
      expect((await put(running(), `/v1/kv/${key}`, '1')).text).toBe('true');
    });

    it.each([
      ['/v1/health/service/', ''],
      ['/v1/catalog/service/', ''],
    ])('wakes %s on a new instance, a change and the last one leaving', async (path) => {
      const name = unique('service');
      const before = await get(running(), path + name);
      expect(before.json).toEqual([]);
      const coming = poll(path + name, before.index);
      await waits(coming);
      const instance = { Node: unique('node'), Address: '10.0.0.9', Service: { Service: name, Port: 80 } };
      await put(running(), '/v1/catalog/register', instance);
      const there = await coming;
      expect(there.json).toHaveLength(1);

      const changing = poll(path + name, there.index);
      await waits(changing);
      const changed = { ...instance, Service: { ...instance.Service, Port: 81 } };
      await put(running(), '/v1/catalog/register', changed);
      const then = await changing;
      expect(then.index).toBeGreaterThan(there.index);

      const leaving = poll(path + name, then.index);
      await waits(leaving);
      await put(running(), '/v1/catalog/deregister', { Node: instance.Node });
      const gone = await leaving;
      expect(gone.json).toEqual([]);
      expect(gone.index).toBeGreaterThan(then.index);
    });

    it('leaves a poll of one service asleep while another one changes', async () => {
      const [own, other] = [unique('own'), unique('other')];
      const node = { Node: unique('node'), Address: '10.0.0.9' };
      await put(running(), '/v1/catalog/register', { ...node, Service: { Service: own, Port: 80 } });
      const { index } = await get(running(), `/v1/health/service/${own}`);
      const answer = poll(`/v1/health/service/${own}`, index, '1s');
      await put(running(), '/v1/catalog/register', { ...node, Service: { Service: other, Port: 80 } });
      await waits(answer);
      expect((await answer).index).toBe(index);
    });

    it('wakes a health poll when a check of the service or of its node changes', async () => {
      const name = unique('service');
      const node = unique('node');
      const base = { Node: node, Address: '10.0.0.9' };
      await put(running(), '/v1/catalog/register', { ...base, Service: { Service: name, Port: 80 } });
      for (const check of [{ ServiceID: name }, {}]) {
        const { index } = await get(running(), `/v1/health/service/${name}`);
        const answer = poll(`/v1/health/service/${name}`, index);
        await waits(answer);
        await put(running(), '/v1/catalog/register', {
          ...base,
          Check: { CheckID: unique('check'), Name: 'c', Status: 'warning', ...check },
        });
        expect((await answer).index).toBeGreaterThan(index);
      }
    });

    it('wakes a poll of all services and one of all nodes', async () => {
      const services = await get(running(), '/v1/catalog/services');
      const nodes = await get(running(), '/v1/catalog/nodes');
      const polls = [poll('/v1/catalog/services', services.index), poll('/v1/catalog/nodes', nodes.index)];
      await waits(polls[0]!);
      const name = unique('service');
      await put(running(), '/v1/catalog/register', {
        ...{ Node: unique('node'), Address: '10.0.0.9' },
        Service: { Service: name, Port: 80, Tags: ['a', 'b'] },
      });
      expect((await polls[0]!).json[name].sort()).toEqual(['a', 'b']);
      expect((await polls[1]!).index).toBeGreaterThan(nodes.index);
    });
  });
}
