import { describe, expect, it } from 'vitest';
import { get, put, remove, type Running, unique } from './subject.ts';

/** Reading and writing keys. */
export function kvContract(running: Running): void {
  describe('as a key/value store', () => {
    it('answers a missing key with 404, an index and no body', async () => {
      const answer = await get(running(), `/v1/kv/${unique('none')}`);
      expect([answer.status, answer.text]).toEqual([404, '']);
      expect(answer.index).toBeGreaterThan(0);
      expect(answer.headers.get('x-consul-effective-consistency')).toBeNull();
    });

    it('answers missing keys and trees with 404, but the list of all keys never', async () => {
      const none = unique('none');
      expect((await get(running(), `/v1/kv/${none}/?recurse`)).status).toBe(404);
      expect((await get(running(), `/v1/kv/${none}/?keys`)).status).toBe(404);
      expect((await get(running(), '/v1/kv/?keys')).status).toBe(200);
    });

    it('shows an entry with its members in order, the value in base64', async () => {
      const key = unique('entry');
      expect((await put(running(), `/v1/kv/${key}?flags=42`, 'hello')).text).toBe('true');
      const answer = await get(running(), `/v1/kv/${key}`);
      expect(Object.keys(answer.json[0])).toEqual([
        'LockIndex',
        'Key',
        'Flags',
        'Value',
        'CreateIndex',
        'ModifyIndex',
      ]);
      expect(answer.json[0]).toMatchObject({ LockIndex: 0, Key: key, Flags: 42, Value: 'aGVsbG8=' });
      expect(answer.json[0].CreateIndex).toBe(answer.json[0].ModifyIndex);
      expect(answer.index).toBe(answer.json[0].ModifyIndex);
    });

    it('shows an empty value as null', async () => {
      const key = unique('empty');
      await put(running(), `/v1/kv/${key}`, '');
      expect((await get(running(), `/v1/kv/${key}`)).json[0].Value).toBeNull();
    });

    it('keeps flags up to 64 bits', async () => {
      const key = unique('flags');
      await put(running(), `/v1/kv/${key}?flags=18446744073709551615`, 'x');
      expect((await get(running(), `/v1/kv/${key}`)).text).toMatch(/"Flags": ?18446744073709551615\b/);
    });

    it('gives a raw value as plain text that no browser runs', async () => {
      const key = unique('raw');
      await put(running(), `/v1/kv/${key}`, new Uint8Array([0, 255, 10, 65]));
      const reply = await fetch(`${running().url}/v1/kv/${key}?raw`);
      expect(new Uint8Array(await reply.arrayBuffer())).toEqual(new Uint8Array([0, 255, 10, 65]));
      expect(reply.headers.get('content-type')).toBe('text/plain');
      expect(reply.headers.get('x-content-type-options')).toBe('nosniff');
      expect(reply.headers.get('content-security-policy')).toBe('sandbox');
    });

    it('lists a tree in key order, whatever the order of writing', async () => {
      const root = unique('tree');
      for (const name of ['c', 'a', 'b/x', 'b', 'a-']) await put(running(), `/v1/kv/${root}/${name}`, name);
      const { json } = await get(running(), `/v1/kv/${root}/?recurse`);
      expect(json.map((entry: { Key: string }) => entry.Key.slice(root.length + 1))).toEqual([
        'a',
        'a-',
        'b',
        'b/x',
        'c',
      ]);
    });

    it('matches a prefix by characters, not by segments', async () => {
      const root = unique('bleed');
      await put(running(), `/v1/kv/${root}/a`, '1');
      await put(running(), `/v1/kv/${root}2/a`, '2');
      expect((await get(running(), `/v1/kv/${root}?recurse`)).json).toHaveLength(2);
      expect((await get(running(), `/v1/kv/${root}/?recurse`)).json).toHaveLength(1);
    });

    it('lists keys, cut at a separator beyond the prefix', async () => {
      const root = unique('keys');
      for (const name of ['a', 'b/x', 'b/y', 'c/z']) await put(running(), `/v1/kv/${root}/${name}`, '');
      const keys = async (query: string) =>
        (await get(running(), `/v1/kv/${root}/?keys${query}`)).json.map((key: string) =>
          key.slice(root.length + 1),
        );
      expect(await keys('')).toEqual(['a', 'b/x', 'b/y', 'c/z']);
      expect(await keys('&separator=/')).toEqual(['a', 'b/', 'c/']);
      expect(await keys('&separator=x')).toEqual(['a', 'b/x', 'b/y', 'c/z']);
    });

    it('keeps a key that ends in a slash, as user interfaces make for folders', async () => {
      const root = unique('folder');
      await put(running(), `/v1/kv/${root}/`, '');
      expect((await get(running(), `/v1/kv/${root}/`)).json[0].Key).toBe(`${root}/`);
    });

    it('takes keys with spaces, signs and other scripts, and escapes what HTML would run', async () => {
      const root = unique('odd');
      const name = 'h e<l>&+ü你';
      await put(running(), `/v1/kv/${root}/${encodeURIComponent(name)}`, 'x');
      const { json, text } = await get(running(), `/v1/kv/${root}?recurse`);
      expect(json[0].Key).toBe(`${root}/${name}`);
      expect(text).toContain('\\u003cl\\u003e\\u0026');
    });

    it('takes an escaped slash for a slash', async () => {
      const root = unique('slash');
      await put(running(), `/v1/kv/${root}%2Fa`, 'x');
      expect((await get(running(), `/v1/kv/${root}/a`)).status).toBe(200);
    });

    it('leaves an entry alone that is written again as it is', async () => {
      const key = unique('same');
      await put(running(), `/v1/kv/${key}`, 'x');
      const before = await get(running(), `/v1/kv/${key}`);
      await put(running(), `/v1/kv/${key}`, 'x');
      expect((await get(running(), `/v1/kv/${key}`)).json).toEqual(before.json);
    });

    it('raises ModifyIndex on a change and keeps CreateIndex until the key is deleted', async () => {
      const key = unique('index');
      const read = async () => (await get(running(), `/v1/kv/${key}`)).json[0];
      await put(running(), `/v1/kv/${key}`, '1');
      const first = await read();
      await put(running(), `/v1/kv/${key}`, '2');
      const second = await read();
      await remove(running(), `/v1/kv/${key}`);
      await put(running(), `/v1/kv/${key}`, '3');
      const third = await read();
      expect(second.CreateIndex).toBe(first.CreateIndex);
      expect(second.ModifyIndex).toBeGreaterThan(first.ModifyIndex);
      expect(third.CreateIndex).toBeGreaterThan(second.ModifyIndex);
    });

    it('writes with cas only over the index it names', async () => {
      const key = unique('cas');
      const write = async (cas: number | string, value: string) =>
        (await put(running(), `/v1/kv/${key}?cas=${cas}`, value)).text;
      expect(await write(5, 'never')).toBe('false');
      expect(await write(0, '1')).toBe('true');
      expect(await write(0, '2')).toBe('false');
      const { ModifyIndex } = (await get(running(), `/v1/kv/${key}`)).json[0];
      expect(await write(ModifyIndex + 1, '2')).toBe('false');
      expect(await write(ModifyIndex, '2')).toBe('true');
      expect((await get(running(), `/v1/kv/${key}?raw`)).text).toBe('2');
    });

    it('deletes with cas only at the index it names, and a missing key always', async () => {
      const key = unique('cas');
      await put(running(), `/v1/kv/${key}`, '1');
      const { ModifyIndex } = (await get(running(), `/v1/kv/${key}`)).json[0];
      expect((await remove(running(), `/v1/kv/${key}?cas=${ModifyIndex + 1}`)).text).toBe('false');
      expect((await remove(running(), `/v1/kv/${key}?cas=${ModifyIndex}`)).text).toBe('true');
      expect((await remove(running(), `/v1/kv/${key}?cas=1`)).text).toBe('true');
    });

    it('deletes one key or a whole tree', async () => {
      const root = unique('delete');
      for (const name of ['a', 'a/b', 'a/c', 'd']) await put(running(), `/v1/kv/${root}/${name}`, 'x');
      expect((await remove(running(), `/v1/kv/${root}/d`)).text).toBe('true');
      expect((await remove(running(), `/v1/kv/${root}/a/?recurse`)).text).toBe('true');
      const { json } = await get(running(), `/v1/kv/${root}/?keys`);
      expect(json).toEqual([`${root}/a`]);
      expect((await remove(running(), `/v1/kv/${root}/nothing?recurse`)).text).toBe('true');
    });

    it.each([
      ['GET', '', '', 400, 'Missing key name'],
      ['PUT', '', '', 400, 'Missing key name'],
      ['DELETE', '', '', 400, 'Missing key name'],
      ['PUT', 'x', '?cas=abc', 500, 'strconv.ParseUint: parsing "abc": invalid syntax'],
      ['PUT', 'x', '?flags=-1', 500, 'strconv.ParseUint: parsing "-1": invalid syntax'],
      [
        'PUT',
        'x',
        '?flags=18446744073709551616',
        500,
        'strconv.ParseUint: parsing "18446744073709551616": value out of range',
      ],
      ['PUT', 'x', '?cas=1&acquire=s', 400, 'Conflicting flags: acquire=s&cas=1\n'],
      ['DELETE', 'x', '?cas=1&recurse', 400, 'Conflicting flags: cas=1&recurse=\n'],
      ['PUT', 'x', '?acquire=nobody', 500, 'raft apply failed: invalid session "nobody"'],
      ['PUT', 'x', '?acquire=', 500, 'raft apply failed: missing session'],
      ['PUT', 'x', '?release=nobody', 200, 'false'],
    ])('answers %s key "%s" %s with %i %s', async (method, key, query, status, text) => {
      const reply = await fetch(`${running().url}/v1/kv/${key}${query}`, {
        method,
        ...(method === 'PUT' ? { body: 'x' } : {}),
      });
      expect({ status: reply.status, text: await reply.text() }).toEqual({ status, text });
    });

    it('takes a value of 512 KiB and refuses a larger one with 413', async () => {
      const key = unique('big');
      const limit = 512 * 1024;
      expect((await put(running(), `/v1/kv/${key}`, 'x'.repeat(limit))).text).toBe('true');
      const refused = await put(running(), `/v1/kv/${key}`, 'x'.repeat(limit + 1));
      expect(refused.status).toBe(413);
      expect(refused.text).toContain('too large, max size: 524288 bytes');
      await remove(running(), `/v1/kv/${key}`);
    });
  });
}
