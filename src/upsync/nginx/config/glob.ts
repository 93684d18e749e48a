import { readdirSync, statSync } from 'node:fs';

/** True when nginx would treat an include's argument as a pattern. Source: nginx, ngx_conf_include(). */
export function isGlob(pattern: string): boolean {
  return /[*?[]/.test(pattern);
}

/**
 * The files an absolute pattern matches, in the order of glob(3) in the C locale (by bytes): hidden files only when the
 * pattern names the dot, `..` kept as it stands, since it may lead through a symbolic link. Folders that cannot be read match
 * nothing, as in glob(3).
 */
export function expandGlob(pattern: string): string[] {
  let found = [''];
  const segments = pattern.split('/').filter((segment) => segment !== '');
  for (const [index, segment] of segments.entries()) {
    const last = index === segments.length - 1;
    found = found.flatMap((folder) => matchSegment(folder, segment, last));
  }
  return found.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
}

function matchSegment(folder: string, segment: string, last: boolean): string[] {
  if (!isGlob(segment)) {
    const candidate = `${folder}/${segment.replace(/\\(.)/g, '$1')}`;
    return exists(candidate, last) ? [candidate] : [];
  }
  const matcher = toRegExp(segment);
  return entriesOf(folder === '' ? '/' : folder)
    .filter((name) => matcher.test(name) && (segment.startsWith('.') || !name.startsWith('.')))
    .map((name) => `${folder}/${name}`)
    .filter((candidate) => exists(candidate, last));
}

function entriesOf(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function exists(candidate: string, last: boolean): boolean {
  try {
    const found = statSync(candidate);
    return last || found.isDirectory();
  } catch {
    return false;
  }
}

function toRegExp(segment: string): RegExp {
  let source = '';
  for (let at = 0; at < segment.length; at++) {
    const character = segment[at]!;
    const close =
      character === '[' ? segment.indexOf(']', at + 2 + Number('!^'.includes(segment[at + 1] ?? ' '))) : -1;
    if (character === '*') source += '[^/]*';
    else if (character === '?') source += '[^/]';
    else if (close !== -1) {
      const inside = segment.slice(at + 1, close);
      const negated = /^[!^]/.test(inside);
      source += `[${negated ? '^' : ''}${inside.slice(Number(negated)).replace(/[\\\]^[]/g, '\\$&')}]`;
      at = close;
    } else {
      const literal = character === '\\' && at + 1 < segment.length ? segment[++at]! : character;
      source += literal.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&');
    }
  }
  return new RegExp(`^${source}$`, 's');
}
