import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import type * as fsPromises from 'node:fs/promises';
import path from 'node:path';
import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createServer, type Server } from '../../src/upstream/server.ts';
import { formatDump, parseDump, readDump, writeDump } from '../../src/upsync/dump.ts';
import { scratchFolder } from '../helpers/scratch-folder.ts';

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof fsPromises>();
  return { ...real, open: vi.fn(real.open) };
});
afterEach(() => vi.mocked(open).mockClear());

const ONE = createServer('127.0.0.1:8088', { weight: 40 });
const TWO = createServer('127.0.0.1:8089', { weight: 20, maxFails: 0, failTimeoutMs: 30_000, down: true });
const TEXT =
  'server 127.0.0.1:8088 weight=40 max_fails=2 fail_timeout=10s;\n' +
  'server 127.0.0.1:8089 weight=20 max_fails=0 fail_timeout=30s down;\n';

const server: fc.Arbitrary<Server> = fc
  .record({
    port: fc.integer({ min: 1, max: 65_535 }),
    weight: fc.integer({ min: 1, max: 1_000_000 }),
    maxFails: fc.nat(1000),
    seconds: fc.nat(100_000),
    down: fc.boolean(),
    backup: fc.boolean(),
    maxConns: fc.nat(10_000),
    slowStart: fc.nat(1000),
    drain: fc.boolean(),
  })
  .map(({ port, seconds, slowStart, ...rest }) =>
    createServer(`[2001:db8::1]:${port}`, {
      ...rest,
      failTimeoutMs: seconds * 1000,
      slowStartMs: slowStart * 1000,
    }),
  );

describe('the text', () => {
  it("is nginx-upsync-module's", () => {
    expect(formatDump([ONE, TWO])).toBe(TEXT);
  });

  it('holds what the module lacks only when it is set', () => {
    const full = createServer('unix:/run/a.sock', {
      backup: true,
      maxConns: 5,
      slowStartMs: 30_000,
      drain: true,
    });
    expect(formatDump([full])).toBe(
      'server unix:/run/a.sock weight=1 max_fails=2 fail_timeout=10s backup max_conns=5 slow_start=30s drain;\n',
    );
  });

  it('is read back as it was written', () => {
    fc.assert(
      fc.property(fc.uniqueArray(server, { selector: ({ address }) => address, maxLength: 10 }), (list) => {
        expect(parseDump(formatDump(list), 'f')).toEqual({ servers: list, rejected: [] });
      }),
    );
  });

  it('is read as far as it is good, and never throws', () => {
    const torn = `${TEXT}garbage\nserver 10.0.0.1:80 weight=x;\nserver 10.0.0.2:80 wei`;
    const { servers, rejected } = parseDump(torn, '/d');
    expect(servers).toEqual([ONE, TWO]);
    expect(rejected.map(({ where }) => where)).toEqual(['/d:3', '/d:4', '/d:5']);
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => void parseDump(text, 'f')));
  });
});

describe('writing', () => {
  it('makes the file with mode 0644 whatever the umask, and leaves nothing beside it', async () => {
    const folder = scratchFolder();
    const file = path.join(folder, 'd.conf');
    const before = process.umask(0o077);
    try {
      await writeDump(file, [ONE, TWO]);
    } finally {
      process.umask(before);
    }
    expect(readFileSync(file, 'utf8')).toBe(TEXT);
    expect(statSync(file).mode & 0o777).toBe(0o644);
    expect(readdirSync(folder)).toEqual(['d.conf']);
  });

  it.each([
    [0o600, 0o600],
    [0o640, 0o640],
    [0o646, 0o644],
    [0o777, 0o644],
  ])('turns mode %o into %o', async (mode, expected) => {
    const file = path.join(scratchFolder({ 'd.conf': 'old' }), 'd.conf');
    chmodSync(file, mode);
    await writeDump(file, [ONE]);
    expect(statSync(file).mode & 0o777).toBe(expected);
  });

  it('replaces the file instead of writing into it, so a reader keeps the whole old one', async () => {
    const file = path.join(scratchFolder({ 'd.conf': 'old' }), 'd.conf');
    const before = statSync(file).ino;
    await writeDump(file, [ONE]);
    expect(statSync(file).ino).not.toBe(before);
  });

  it('follows a link in a folder of its own', async () => {
    const folder = scratchFolder({ 'real/d.conf': 'old' });
    symlinkSync('real/d.conf', path.join(folder, 'd.conf'));
    await writeDump(path.join(folder, 'd.conf'), [ONE, TWO]);
    expect(readFileSync(path.join(folder, 'real/d.conf'), 'utf8')).toBe(TEXT);
    expect(lstatSync(path.join(folder, 'd.conf')).isSymbolicLink()).toBe(true);
  });

  it('does not follow a link in a folder that everybody may write to', async () => {
    const folder = scratchFolder({ precious: 'precious' });
    const shared = path.join(folder, 'shared');
    mkdirSync(shared);
    chmodSync(shared, 0o1777);
    symlinkSync('../precious', path.join(shared, 'd.conf'));
    await expect(writeDump(path.join(shared, 'd.conf'), [ONE])).rejects.toThrowError(/symbolic link/);
    expect(readFileSync(path.join(folder, 'precious'), 'utf8')).toBe('precious');
    expect((await readDump(path.join(shared, 'd.conf'))).rejected[0]!.reason).toContain('symbolic link');
  });

  it('names the folder that is missing', async () => {
    const file = path.join(scratchFolder(), 'none/d.conf');
    await expect(writeDump(file, [ONE])).rejects.toMatchObject({
      code: 'DUMP_FAILED',
      message: `cannot write the dump file ${file}: the folder ${path.dirname(file)} does not exist; the old file stays`,
    });
  });

  it('refuses to replace a folder', async () => {
    const folder = scratchFolder();
    await expect(writeDump(folder, [ONE])).rejects.toThrowError(/no regular file/);
  });

  it('keeps the old file and removes the temporary one when the disk is full', async () => {
    const folder = scratchFolder({ 'd.conf': 'old' });
    const real = vi.mocked(open).getMockImplementation()!;
    vi.mocked(open).mockImplementationOnce(async (...args) => {
      const handle: FileHandle = await real(...args);
      handle.sync = () =>
        Promise.reject(Object.assign(new Error('no space left on device'), { code: 'ENOSPC' }));
      return handle;
    });
    await expect(writeDump(path.join(folder, 'd.conf'), [ONE])).rejects.toThrowError(
      /the disk is full; the old file stays/,
    );
    expect(readFileSync(path.join(folder, 'd.conf'), 'utf8')).toBe('old');
    expect(readdirSync(folder)).toEqual(['d.conf']);
  });
});

describe('reading back', () => {
  it('gives the servers and the age', async () => {
    const file = path.join(scratchFolder({ 'd.conf': TEXT }), 'd.conf');
    expect(await readDump(file)).toEqual({
      servers: [ONE, TWO],
      rejected: [],
      writtenAt: statSync(file).mtimeMs,
    });
  });

  it.each([
    ['a missing file', {}, 0],
    ['an empty file', { 'd.conf': '' }, 0],
    ['garbage', { 'd.conf': '\0\xff{}' }, 1],
    ['a folder', { 'd.conf/x': '' }, 1],
  ])('takes %s for an empty list', async (_title, files, reports) => {
    const { servers, rejected } = await readDump(path.join(scratchFolder(files), 'd.conf'));
    expect(servers).toEqual([]);
    expect(rejected.length).toBe(reports);
  });

  it.runIf(process.getuid?.() === 0)(
    'does not believe what another user put into a shared folder',
    async () => {
      const folder = scratchFolder();
      chmodSync(folder, 0o1777);
      const file = path.join(folder, 'd.conf');
      writeFileSync(file, TEXT);
      chownSync(file, 65_534, 65_534);
      const { servers, rejected } = await readDump(file);
      expect(servers).toEqual([]);
      expect(rejected[0]!.reason).toContain('belongs to another user');
      await writeDump(file, [ONE]);
      expect(statSync(file).uid).toBe(0);
    },
  );
});
