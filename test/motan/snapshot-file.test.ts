import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  canonicalJson,
  type NameSnapshot,
  readSnapshot,
  snapshotPath,
  writeSnapshot,
} from '../../src/motan/snapshot-file.ts';
import { provider } from '../helpers/motan-providers.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'upsync-snapshot-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const SNAPSHOT: NameSnapshot = {
  name: 'rs.a.6379',
  confirmedAt: 1_700_000_000_000,
  places: [
    { idc: 'a', servers: [{ ...provider(1), since: 5 }] },
    { idc: 'b', servers: [] },
  ],
  command: '{"clientCommandList":[]}',
};
const path = (): string => join(folder, 'rs.a.6379.json');

describe('a snapshot', () => {
  it('is read back as it was written, and only its owner can read it', async () => {
    await writeSnapshot(join(folder, 'new'), SNAPSHOT);
    expect(await readSnapshot(join(folder, 'new'), 'rs.a.6379')).toEqual({
      ok: true,
      value: { format: 1, ...SNAPSHOT },
    });
    expect((await stat(join(folder, 'new/rs.a.6379.json'))).mode & 0o777).toBe(0o600);
    expect((await stat(join(folder, 'new'))).mode & 0o777).toBe(0o700);
  });

  it('is replaced whole, without leaving anything behind', async () => {
    await writeSnapshot(folder, SNAPSHOT);
    await writeSnapshot(folder, { ...SNAPSHOT, confirmedAt: 7 });
    expect(await readdir(folder)).toEqual(['rs.a.6379.json']);
    expect(await readSnapshot(folder, 'rs.a.6379')).toMatchObject({ value: { confirmedAt: 7 } });
  });

  it('that is absent is no error', async () => {
    expect(await readSnapshot(folder, 'rs.a.6379')).toEqual({ ok: true, value: undefined });
  });

  it.each<[string, (text: string) => string, string]>([
    ['changed in one figure', (text) => text.replace('"port": 6379', '"port": 6380'), 'signature'],
    ['cut off', (text) => text.slice(0, -20), 'JSON'],
    ['empty', () => '', 'JSON'],
    ['no object', () => 'null', 'signature'],
    ['of another name', (text) => text, 'of this name'],
  ])('that is %s is ignored with a reason', async (kind, damage, why) => {
    await writeSnapshot(folder, SNAPSHOT);
    const name = kind === 'of another name' ? 'rs.b.6379' : 'rs.a.6379';
    await writeFile(snapshotPath(folder, name), damage(await readFile(path(), 'utf8')));
    const read = await readSnapshot(folder, name);
    expect(read).toMatchObject({ ok: false, error: { code: 'SNAPSHOT_BAD' } });
    expect(read.ok || read.error.message).toContain(why);
  });

  it('that cannot be written says so and leaves the old one', async () => {
    await writeSnapshot(folder, SNAPSHOT);
    await writeFile(join(folder, 'file'), '');
    await expect(writeSnapshot(join(folder, 'file'), SNAPSHOT)).rejects.toMatchObject({
      code: 'SNAPSHOT_WRITE',
    });
    await chmod(path(), 0o600);
    expect((await readSnapshot(folder, 'rs.a.6379')).ok).toBe(true);
  });

  it('never lies outside its folder', () => {
    expect(() => snapshotPath('/folder', '../etc.a.1')).toThrow('not a resource.idc.port name');
    expect(snapshotPath('/folder', 'RS.A.1')).toBe('/folder/rs.a.1.json');
  });
});

describe('canonicalJson', () => {
  it('does not depend on the order of fields', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
        const turned = Object.fromEntries(Object.entries(value).reverse());
        expect(canonicalJson(turned)).toBe(canonicalJson(value));
        expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });
});
