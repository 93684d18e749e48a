import { appendFile, mkdir, mkdtemp, rename, rm, symlink, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseListFile } from '../../src/discovery/file-list.ts';
import { FileSource } from '../../src/discovery/file.ts';
import { ListReader, summary } from '../helpers/reading-lists.ts';

describe('parseListFile', () => {
  it.each<[string, string, string[], string[]]>([
    [
      'server lines',
      '# list\nserver 10.0.0.1:80 weight=2;\nserver 10.0.0.2:80 down;\n',
      ['10.0.0.1:80*2', '10.0.0.2:80 down'],
      [],
    ],
    ['nothing', '', [], []],
    [
      'a JSON list',
      '[{"address":"10.0.0.1:80","weight":"2"},"10.0.0.2:80"]',
      ['10.0.0.1:80*2', '10.0.0.2:80'],
      [],
    ],
    ['bad lines', 'server x;\nserver 10.0.0.1;\nserver a b;', ['x:80', '10.0.0.1:80'], ['BAD_SERVER_LINE']],
    [
      'bad items',
      '["x", 5, null, {"address":"10.0.0.1:80"}, "10.0.0.1:80"]',
      ['10.0.0.1:80'],
      ['BAD_ADDRESS', 'BAD_ENTRY', 'BAD_ENTRY', 'DUPLICATE_ADDRESS'],
    ],
  ])('reads %s', (_name, text, servers, codes) => {
    const list = parseListFile(text, '/etc/list');
    expect(summary(list)).toEqual(servers);
    expect(list.rejected.map(({ code }) => code)).toEqual(codes);
  });

  it('uses the defaults of a registry, not those of nginx', () => {
    expect(parseListFile('server 10.0.0.1:80;', 'f').servers[0]!.maxFails).toBe(2);
  });

  it.each(['[{"address":', '{"servers":[]}', '[1] 2'])('refuses %s', (text) => {
    expect(() => parseListFile(text, 'f')).toThrow(
      expect.objectContaining({ code: 'SOURCE_BAD_REPLY' }) as Error,
    );
  });
});

describe('the file source', () => {
  let folder: string;
  let path: string;
  let readers: ListReader[] = [];
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'upsync-file-'));
    path = join(folder, 'list.conf');
  });
  afterEach(async () => {
    await Promise.all(readers.map((reader) => reader.stop().catch(() => false)));
    readers = [];
    await rm(folder, { recursive: true, force: true });
  });
  const open = (options = {}): ListReader => {
    const reader = new ListReader(new FileSource({ path, ...options }));
    readers.push(reader);
    return reader;
  };

  it('follows writes in place and renames over it', async () => {
    await writeFile(path, 'server 10.0.0.1:80;\n');
    const reader = open();
    expect(summary(await reader.next())).toEqual(['10.0.0.1:80']);
    await appendFile(path, 'server 10.0.0.2:80;\n');
    expect(summary(await reader.next())).toHaveLength(2);
    await writeFile(join(folder, 'new'), 'server 10.0.0.3:80;\n');
    await rename(join(folder, 'new'), path);
    expect(summary(await reader.next())).toEqual(['10.0.0.3:80']);
    expect(await reader.stop()).toBe(true);
  });

  it('follows the symlink swaps of Kubernetes, one after the other', async () => {
    const publish = async (version: number): Promise<void> => {
      await mkdir(join(folder, `..v${version}`));
      await writeFile(join(folder, `..v${version}`, 'list.conf'), `server 10.0.0.${version}:80;\n`);
      await symlink(`..v${version}`, join(folder, '..data_tmp'));
      await rename(join(folder, '..data_tmp'), join(folder, '..data'));
      if (version > 1) await rm(join(folder, `..v${version - 1}`), { recursive: true });
    };
    await publish(1);
    await symlink(join('..data', 'list.conf'), path);
    const reader = open();
    expect(summary(await reader.next())).toEqual(['10.0.0.1:80']);
    for (const version of [2, 3, 4, 5]) {
      await publish(version);
      expect(summary(await reader.next())).toEqual([`10.0.0.${version}:80`]);
    }
  });

  it('says nothing when the file is written again with the same text', async () => {
    await writeFile(path, 'server 10.0.0.1:80;\n');
    const reader = open();
    await reader.next();
    await writeFile(path, 'server 10.0.0.1:80;\n');
    expect(await reader.isQuiet(150)).toBe(true);
  });

  it('does not take a half-written file for the list', async () => {
    await writeFile(path, 'server 10.0.0.1:80;\n');
    const reader = open();
    await reader.next();
    const next = reader.next();
    await writeFile(path, 'server 10.0.0.1:80;\n');
    for (const host of [2, 3, 4]) {
      await appendFile(path, `server 10.0.0.${host}:80;\n`);
      await new Promise(setImmediate);
    }
    expect(summary(await next)).toHaveLength(4);
  });

  it('reads the file again now and then, whatever events say', async () => {
    const elsewhere = await mkdtemp(join(tmpdir(), 'upsync-file-'));
    const real = join(elsewhere, 'real.conf');
    await writeFile(real, 'server 10.0.0.1:80;\n');
    await symlink(real, path);
    const reader = open({ rereadMs: 50 });
    await reader.next();
    await writeFile(real, 'server 10.0.0.2:80;\n');
    expect(summary(await reader.next())).toEqual(['10.0.0.2:80']);
    await reader.stop();
    await rm(elsewhere, { recursive: true });
  });

  it('throws when the file is not there or goes away', async () => {
    await expect(open().next()).rejects.toMatchObject({ code: 'SOURCE_FILE' });
    await writeFile(path, 'server 10.0.0.1:80;\n');
    const reader = open();
    await reader.next();
    await unlink(path);
    await expect(reader.next()).rejects.toMatchObject({ code: 'SOURCE_FILE' });
  });
});
