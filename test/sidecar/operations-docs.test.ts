import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';

const ROOT = path.resolve(import.meta.dirname, '../..');
const page = readFileSync(path.join(ROOT, 'docs/operations.md'), 'utf8');

/** Events by name, each with the levels it is logged at. Those of names and data centres have a page of their own. */
function events(): ReadonlyMap<string, ReadonlySet<string>> {
  const found = new Map<string, Set<string>>();
  for (const file of readdirSync(path.join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.ts') || file.startsWith('motan')) continue;
    const text = readFileSync(path.join(ROOT, 'src', file), 'utf8');
    for (const call of text.matchAll(/logger\??\.(debug|info|warn|error)\(/gi)) {
      // The event is the last argument.
      const event = /['`]([a-z]+(?:_[a-z]+)+|\$\{what\}_failed)['`],?\s*\)/.exec(
        text.slice(call.index, call.index + 700),
      );
      const name = event?.[1]?.replace('${what}', 'reload');
      if (name !== undefined) found.set(name, (found.get(name) ?? new Set()).add(call[1]!));
    }
  }
  return found;
}

const told = new Map(
  [...page.slice(page.indexOf('## Log')).matchAll(/^\| `([a-z_]+)` +\| (info|warn|error) /gm)].map(
    ([, name, level]) => [name!, level!],
  ),
);

test('every warning and error is in the table of events', () => {
  const serious = [...events()].filter(([, levels]) => levels.has('warn') || levels.has('error'));
  expect(serious.length).toBeGreaterThan(30);
  expect(serious.map(([name]) => name).filter((name) => !told.has(name))).toEqual([]);
});

test('every event of the table is logged, at the level told', () => {
  const real = events();
  expect([...told].filter(([name, level]) => !real.get(name)?.has(level))).toEqual([]);
});

test('the unit on the page is the one in examples', () => {
  const unit = /```ini\n(.*?)```/s.exec(page)?.[1];
  expect(unit).toBe(readFileSync(path.join(ROOT, 'examples/upsync-nginx.service'), 'utf8'));
});

test('links lead somewhere', () => {
  for (const name of ['operations.md', 'sidecar.md']) {
    const text = readFileSync(path.join(ROOT, 'docs', name), 'utf8');
    const links = [...text.matchAll(/\]\(([^)#:]+)(?:#[a-z-]+)?\)/g)].map(([, link]) => link!);
    expect(links.length).toBeGreaterThan(0);
    for (const link of links) expect(() => readFileSync(path.join(ROOT, 'docs', link))).not.toThrow();
  }
});
