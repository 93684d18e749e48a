import { constants, type Stats } from 'node:fs';
import { type FileHandle, lstat, open, realpath, rename, stat, unlink } from 'node:fs/promises';
import path from 'node:path';
import { temporaryBeside, whyNotReplaced } from '../discovery/replace-file.ts';
import { errorText, type RejectedEntry, UpsyncError } from '../upstream/errors.ts';
import { formatServerLine, parseServerLines } from '../upstream/server-line.ts';
import type { Server } from '../upstream/server.ts';

/** A dump as read back. */
export interface DumpContent {
  /** In the file's order, addresses unique; empty when there is nothing usable. */
  readonly servers: readonly Server[];
  /** Lines that were left out, each with its place. */
  readonly rejected: readonly RejectedEntry[];
  /** When the file was last written, milliseconds since the epoch; undefined when it does not exist. */
  readonly writtenAt?: number;
}

/** Larger than 65,536 servers with every attribute; a larger file is no dump of ours. Bytes. */
const MAX_DUMP_BYTES = 16 * 1024 * 1024;
const MODE = 0o644;

/**
 * The text of a dump: one `server` line each, usable as an include inside `upstream`.
 * Source: nginx-upsync-module, upsync_dump_server().
 */
export function formatDump(servers: readonly Server[]): string {
  return servers.map((server) => `${formatServerLine(server)}\n`).join('');
}

/** Reads the text of a dump. Never throws: bad lines are reported and skipped. */
export function parseDump(text: string, where: string): DumpContent {
  return parseServerLines(text, where);
}

/**
 * Reads the last good list back. A missing or empty file is an empty list, and so is one that cannot be read, which is
 * reported: a start must not fail because of it. In a folder that everybody may write to (`/tmp`) only a file of ours or of
 * root's is believed, and no symbolic link, since anybody could have put another one there.
 */
export async function readDump(file: string): Promise<DumpContent> {
  let handle: FileHandle | undefined;
  try {
    const shared = await isOpenFolder(path.dirname(file));
    handle = await open(
      file,
      constants.O_RDONLY | constants.O_NONBLOCK | (shared ? constants.O_NOFOLLOW : 0),
    );
    const found = await handle.stat();
    if (!found.isFile()) throw new Error('it is no regular file');
    if (shared && !isTrusted(found))
      throw new Error('it belongs to another user, in a folder everybody may write to');
    if (found.size > MAX_DUMP_BYTES) throw new Error(`it is larger than ${MAX_DUMP_BYTES} bytes`);
    return { ...parseDump(await handle.readFile('utf8'), file), writtenAt: found.mtimeMs };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return { servers: [], rejected: [] };
    const why = code === 'ELOOP' ? 'it is a symbolic link' : errorText(error);
    const reason = `the dump file cannot be read and is not used: ${why}`;
    return { servers: [], rejected: [{ where: file, code: 'DUMP_UNREADABLE', reason }] };
  } finally {
    await handle?.close();
  }
}

/**
 * Keeps a list for the next start. The file is replaced whole: readers and a crash see the old or the new list, never a
 * part, and when anything fails (a full disk) the old file stays. A dump that is a symbolic link is replaced where it
 * points to, except in a folder that everybody may write to (`/tmp`), where a link could be someone else's trap.
 * The mode is 0644 or what the file had, if that is stricter; the owner stays.
 * @throws {UpsyncError} DUMP_FAILED naming the file and the reason.
 */
export async function writeDump(file: string, servers: readonly Server[]): Promise<void> {
  try {
    const target = await resolveTarget(file);
    const old = await lstatOrNothing(target);
    if (old && !old.isFile()) throw new Error('something that is no regular file stands there');
    await replaceFile(target, formatDump(servers), old);
  } catch (error) {
    throw new UpsyncError(
      'DUMP_FAILED',
      `cannot write the dump file ${file}: ${whyNotReplaced(error, file)}; the old file stays`,
      {
        cause: error,
      },
    );
  }
}

async function replaceFile(target: string, text: string, old: Stats | undefined): Promise<void> {
  const folder = path.dirname(target);
  // A file that someone else put into a shared folder must not make our list theirs to change.
  const keepOwner = old && process.getuid?.() === 0 && (isTrusted(old) || !(await isOpenFolder(folder)));
  // A name nobody can foresee, and opened so that an existing file or link of that name is refused.
  const temporary = temporaryBeside(target);
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  const handle = await open(temporary, flags, 0o600);
  try {
    try {
      await handle.writeFile(text);
      if (keepOwner) await handle.chown(old.uid, old.gid);
      // Set on the open file, since the umask may have taken bits away.
      await handle.chmod(old ? old.mode & MODE : MODE);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, target);
  } catch (error) {
    await unlink(temporary).catch(() => undefined);
    throw error;
  }
  await syncFolder(folder);
}

// The rename itself must reach the disk. Some file systems refuse to sync a folder; the file is in place all the same.
async function syncFolder(folder: string): Promise<void> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(folder, 'r');
    await handle.sync();
  } catch (error) {
    if (!['EINVAL', 'EACCES', 'EPERM', 'ENOTSUP'].includes((error as NodeJS.ErrnoException).code ?? ''))
      throw error;
  } finally {
    await handle?.close();
  }
}

// Where the file really is. A link is followed once only, and not where anybody could have put it.
async function resolveTarget(file: string): Promise<string> {
  const found = await lstatOrNothing(file);
  if (!found?.isSymbolicLink()) return file;
  if (await isOpenFolder(path.dirname(file)))
    throw new Error('it is a symbolic link in a folder that everybody may write to, which is not followed');
  return await realpath(file);
}

async function isOpenFolder(folder: string): Promise<boolean> {
  return ((await stat(folder)).mode & 0o002) !== 0;
}

function isTrusted({ uid }: Stats): boolean {
  return uid === 0 || uid === process.getuid?.();
}

async function lstatOrNothing(file: string): Promise<Stats | undefined> {
  try {
    return await lstat(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
