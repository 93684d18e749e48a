import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';

// The layer table of docs/architecture.md as data: a folder may import itself and the folders named, nothing else.
const LAYERS: Readonly<Record<string, readonly string[]>> = {
  upstream: [],
  balancer: ['upstream'],
  discovery: ['upstream'],
  upsync: ['upstream', 'balancer', 'discovery'],
  motan: ['upstream', 'balancer', 'discovery'],
  sidecar: ['upstream', 'balancer', 'discovery', 'upsync', 'motan'],
  '': ['upstream', 'balancer', 'discovery', 'upsync', 'motan', 'sidecar'],
};
// Packages that only the file named may import, so that each has one owner.
const OWNERS: Readonly<Record<string, RegExp>> = {
  chokidar: /watch-file|file-watch|discovery\/file|sidecar\//,
  ioredis: /motan\//,
  'node-cron': /motan\//,
  'dns-packet': /motan\//,
  consul: /discovery\/consul-agent/,
  commander: /sidecar\//,
  zod: /sidecar\//,
  yaml: /sidecar\/|motan\//,
  'prom-client': /sidecar\//,
  hono: /sidecar\//,
  '@hono/node-server': /sidecar\//,
};
const ROOT = path.resolve(import.meta.dirname, '../src');

interface SourceFile {
  readonly file: string;
  readonly lines: number;
  readonly imports: readonly string[];
}

const files: SourceFile[] = readdirSync(ROOT, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts') && !file.endsWith('.d.ts'))
  .map((file) => {
    const text = readFileSync(path.join(ROOT, file), 'utf8');
    const imports = [
      ...text.matchAll(
        /(?:^|[\s;])(?:import|export)\s[^'";]*?from\s*'([^']+)'|import\(\s*'([^']+)'\s*\)|^import\s+'([^']+)'/gm,
      ),
    ];
    return {
      file,
      lines: text.split('\n').length - 1,
      imports: imports.map((match) => (match[1] ?? match[2] ?? match[3])!),
    };
  });

const layerOf = (file: string): string => (file.includes('/') ? file.split('/')[0]! : '');
const resolve = (from: string, to: string): string => path.join(path.dirname(from), to);
const isRelative = (specifier: string): boolean => specifier.startsWith('.');

describe('architecture', () => {
  it('finds the source files', () => {
    expect(files.length).toBeGreaterThan(30);
    expect(files.flatMap((file) => file.imports).length).toBeGreaterThan(100);
  });

  it('keeps every folder in a layer of the table', () => {
    expect(files.map(({ file }) => layerOf(file)).filter((layer) => !(layer in LAYERS))).toEqual([]);
  });

  it('is told where it is: every path of the page exists', () => {
    const page = readFileSync(path.resolve(ROOT, '../docs/architecture.md'), 'utf8');
    const table = page.slice(page.indexOf('## Where to find what'), page.indexOf('## The three contracts'));
    const missing: string[] = [];
    let count = 0;
    for (const row of table.matchAll(/^\|.*\|(.*)\|$/gm)) {
      let folder = '';
      for (const [, name] of row[1]!.matchAll(/`([\w./-]+(?:\.ts|\/))`/g)) {
        // A name without a folder stands in the folder of the one before it.
        const whole = name!.includes('/') ? name! : path.join(folder, name!);
        folder = whole.endsWith('/') ? whole : path.dirname(whole);
        if (!existsSync(path.join(ROOT, whole))) missing.push(whole);
        count += 1;
      }
    }
    expect(missing).toEqual([]);
    expect(count).toBeGreaterThan(40);
  });

  it('imports only downwards', () => {
    const breaches = files.flatMap(({ file, imports }) =>
      imports
        .filter(isRelative)
        .map((specifier) => resolve(file, specifier))
        .filter((to) => layerOf(to) !== layerOf(file) && !LAYERS[layerOf(file)]!.includes(layerOf(to)))
        .map((to) => `${file} -> ${to}`),
    );
    expect(breaches).toEqual([]);
  });

  it('keeps the balancers free of anything but the domain', () => {
    const breaches = files
      .filter(({ file }) => layerOf(file) === 'balancer')
      .flatMap(({ file, imports }) =>
        imports.filter((specifier) => !isRelative(specifier)).map((to) => `${file} -> ${to}`),
      );
    expect(breaches).toEqual([]);
  });

  it('has no import cycle, type imports included', () => {
    const graph = new Map(
      files.map(({ file, imports }) => [file, imports.filter(isRelative).map((to) => resolve(file, to))]),
    );
    expect(cycles(graph)).toEqual([]);
  });

  it('writes relative imports with their .ts extension', () => {
    const odd = files.flatMap(({ file, imports }) =>
      imports.filter((to) => isRelative(to) && !to.endsWith('.ts')).map((to) => `${file} -> ${to}`),
    );
    expect(odd).toEqual([]);
  });

  it('imports each outside package only where it belongs', () => {
    const breaches = files.flatMap(({ file, imports }) =>
      imports
        .filter((specifier) => specifier in OWNERS && !OWNERS[specifier]!.test(file))
        .map((specifier) => `${file} -> ${specifier}`),
    );
    expect(breaches).toEqual([]);
  });

  it('keeps every file at 300 lines or fewer', () => {
    expect(files.filter(({ lines }) => lines > 300).map(({ file, lines }) => `${file}: ${lines}`)).toEqual(
      [],
    );
  });
});

function cycles(graph: ReadonlyMap<string, readonly string[]>): string[] {
  const found: string[] = [];
  const state = new Map<string, 'open' | 'done'>();
  const visit = (node: string, trail: readonly string[]): void => {
    if (state.get(node) === 'done') return;
    if (state.get(node) === 'open') {
      found.push([...trail.slice(trail.indexOf(node)), node].join(' -> '));
      return;
    }
    state.set(node, 'open');
    for (const next of graph.get(node) ?? []) visit(next, [...trail, node]);
    state.set(node, 'done');
  };
  for (const node of graph.keys()) visit(node, []);
  return found;
}
