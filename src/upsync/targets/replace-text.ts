import { rename, rm, writeFile } from 'node:fs/promises';

/** Replaces a file that can be made again at any time: readers see the old or the new text, never a part. Mode 0644. */
export async function replaceText(file: string, text: string): Promise<void> {
  const temporary = `${file}.${process.pid}.new`;
  try {
    await writeFile(temporary, text, { mode: 0o644 });
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw error;
  }
}
