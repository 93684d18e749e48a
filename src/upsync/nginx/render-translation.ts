import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Translation } from './translation.ts';

/**
 * The changed files of a translation as one text, each under a line that names it, as `nginx -T` prints files. The text
 * has one character per byte: write it as latin1.
 */
export function renderTranslation({ files, main }: Translation): string {
  if (files.length === 0) return `# ${main} has nothing to translate: nginx reads it as it is\n`;
  return files
    .map(
      ({ original, text }) => `# configuration file ${original}:\n${text}${text.endsWith('\n') ? '' : '\n'}`,
    )
    .join('\n');
}

/** Writes the changed files under a folder, each at its full original path. Returns the files written. */
export function writeTranslation({ files }: Translation, folder: string): string[] {
  return files.map(({ original, text }) => {
    const target = path.join(folder, original);
    mkdirSync(path.dirname(target), { recursive: true });
    writeFileSync(target, text, { encoding: 'latin1', mode: 0o600 });
    return target;
  });
}
