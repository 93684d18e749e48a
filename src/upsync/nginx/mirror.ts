import {
  chmodSync,
  type Dirent,
  mkdirSync,
  readdirSync,
  realpathSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { realFolder } from './translate-includes.ts';
import type { Translation } from './translation.ts';

/** Where a file of the user's stands in a mirror. Its folder counts without symbolic links, as `..` does in the kernel. */
export function mirrorPath(mirror: string, original: string): string {
  return path.join(mirror, realFolder(path.dirname(original)), path.basename(original));
}

/**
 * Makes a mirror: the folders on the way to each changed file are real, everything else in them is a symbolic link to the
 * user's own, so that any relative name, `../certs/a.pem` too, leads to the same thing as before.
 * @returns pairs of the path that nginx will name and the one the user wrote, where they differ.
 */
export function buildMirror(mirror: string, translation: Translation): (readonly [string, string])[] {
  const texts = new Map(
    translation.files.map(({ original, text }) => [realName(original), { original, text }]),
  );
  const folders = new Set<string>();
  for (const file of [realName(translation.main), ...texts.keys()])
    for (const folder of ancestors(file)) folders.add(folder);

  for (const folder of [...folders].sort()) {
    mkdirSync(path.join(mirror, folder), { recursive: true });
    // Whatever the umask: workers run as another user and open files by these paths.
    chmodSync(path.join(mirror, folder), 0o711);
    for (const found of entriesOf(folder)) {
      const entry = path.join(folder, found.name);
      if (folders.has(entry) || texts.has(entry)) continue;
      const target = found.isSymbolicLink() ? linkTarget(mirror, folders, entry) : entry;
      symlinkSync(target, path.join(mirror, entry));
    }
  }
  for (const [file, { original, text }] of texts) {
    // The user's own file may be closed to others, since a configuration can hold secrets.
    const mode = statSync(original).mode & 0o644;
    writeFileSync(path.join(mirror, file), text, { encoding: 'latin1', mode, flag: 'wx' });
  }
  const named = [...texts].map(([file, { original }]) => [file, original] as const);
  return [[realName(translation.main), translation.main] as const, ...named].filter(
    ([real, users]) => real !== users,
  );
}

// A link of the user's to a folder that is mirrored must lead to the mirror, or the changed files in it would be missed.
function linkTarget(mirror: string, folders: ReadonlySet<string>, entry: string): string {
  try {
    const real = realpathSync(entry);
    if (folders.has(real))
      return path.relative(path.dirname(path.join(mirror, entry)), path.join(mirror, real)) || '.';
  } catch {
    // A link that leads nowhere stays one.
  }
  return entry;
}

function realName(file: string): string {
  return path.join(realFolder(path.dirname(file)), path.basename(file));
}

function ancestors(file: string): string[] {
  const folder = path.dirname(file);
  return folder === file ? [] : [...ancestors(folder), folder];
}

// A folder that may be passed through but not listed has names that only the user can know: nothing to link.
function entriesOf(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
}
