import { randomBytes } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { errorText } from '../upstream/errors.ts';

/**
 * Replaces a file whole: readers and a crash see the old or the new text, never a part, and it is on the disk when this
 * resolves. Mode 0600. When anything fails the old file stays, and nothing is left beside it.
 */
export async function replaceFile(path: string, text: string): Promise<void> {
  // Next to the file, since a rename is atomic only within one file system.
  const temporary = temporaryBeside(path);
  try {
    const file = await open(temporary, 'wx', 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw error;
  }
  await syncFolder(dirname(path));
}

/** Why `replaceFile` failed, in words: the error itself names the temporary file, which means nothing to its reader. */
export function whyNotReplaced(error: unknown, file: string): string {
  switch ((error as NodeJS.ErrnoException).code) {
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return `the folder ${dirname(file)} is not writable, which replacing the file whole needs`;
    case 'ENOENT':
    case 'ENOTDIR':
      return `the folder ${dirname(file)} does not exist`;
    case 'ENOSPC':
    case 'EDQUOT':
      return 'the disk is full';
    default:
      return errorText(error);
  }
}

/** A path in the same folder, under a name that nobody can foresee: open it so that an existing file or link is refused. */
export function temporaryBeside(path: string): string {
  return join(dirname(path), `.upsync-${randomBytes(8).toString('hex')}.tmp`);
}

/**
 * Waits until a rename in this folder has reached the disk. Never throws: some file systems cannot sync a folder, and the file
 * is in place all the same.
 */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r').catch(() => undefined);
  await folder?.sync().catch(() => undefined);
  await folder?.close();
}
