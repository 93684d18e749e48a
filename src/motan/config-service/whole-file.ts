import { readFile } from 'node:fs/promises';
import { replaceFile } from '../../discovery/replace-file.ts';
import { errorText, UpsyncError } from '../../upstream/errors.ts';

/** What a JSON file holds; undefined when it is not there yet. @throws {UpsyncError} CONFIG_FILE */
export async function readWhole(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, 'utf8'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw fileError(`${file} cannot be read`, error);
  }
}

/** Replaces a JSON file at once, or not at all; only its owner may read it. @throws {UpsyncError} CONFIG_FILE */
export async function writeWhole(file: string, data: unknown): Promise<void> {
  try {
    await replaceFile(file, `${JSON.stringify(data, undefined, 1)}\n`);
  } catch (error) {
    throw fileError(`${file} was not written and stays as it was`, error);
  }
}

function fileError(text: string, cause: unknown): UpsyncError {
  return new UpsyncError('CONFIG_FILE', `${text}: ${errorText(cause)}`, { cause });
}
