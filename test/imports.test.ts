import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';

const SRC = path.resolve(import.meta.dirname, '../src');
const STATEMENT = /^(?:import|export)\s(?!type\s)([^'";]*?)from\s*'([^']+)'|^import\s*'([^']+)'/gm;

/** Whether at least one of the names between the braces is a value. */
function importsValues(names: string): boolean {
  const inner = /\{([^}]*)\}/.exec(names)?.[1];
  if (inner === undefined || /^\s*\w+\s*,/.test(names)) return true;
  return inner
    .split(',')
    .map((name) => name.trim())
    .some((name) => name !== '' && !name.startsWith('type '));
}

/** Packages that importing `entry` loads at once, each with the files that name it. Lazy `import()` does not count. */
function packagesOf(entry: string): ReadonlyMap<string, readonly string[]> {
  const seen = new Set<string>();
  const packages = new Map<string, string[]>();
  const visit = (file: string): void => {
    if (seen.has(file)) return;
    seen.add(file);
    for (const [, names, from, bare] of readFileSync(file, 'utf8').matchAll(STATEMENT)) {
      const specifier = (from ?? bare)!;
      // With verbatimModuleSyntax a relative import of types alone still loads the file.
      if (specifier.startsWith('.')) visit(path.resolve(path.dirname(file), specifier));
      else if (!specifier.startsWith('node:') && (names === undefined || importsValues(names)))
        packages.set(specifier, [...(packages.get(specifier) ?? []), path.relative(SRC, file)]);
    }
  };
  visit(path.join(SRC, entry));
  return packages;
}

describe('importing the package', () => {
  it.each(['index.ts', 'discovery/index.ts', 'upsync/index.ts', 'motan/index.ts'])(
    'loads nothing but undici for %s; what is heavy waits until it is used',
    (entry) => {
      const others = [...packagesOf(entry)].filter(([name]) => name !== 'undici');
      expect(others).toEqual([]);
    },
  );

  it('sees what a program loads', () => {
    expect([...packagesOf('sidecar/cli/program.ts').keys()]).toContain('commander');
  });
});
