import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';

const run = promisify(execFile);
const ROOT = path.resolve(import.meta.dirname, '../..');
/** Most the package may take up when installed, its dependencies left out. Bytes. */
const SIZE_BUDGET = 1_800_000;

interface Packed {
  readonly filename: string;
  readonly unpackedSize: number;
  readonly size: number;
  readonly files: readonly { readonly path: string; readonly size: number; readonly mode: number }[];
}

let folder: string;
let packed: Packed;
/** Pages whose snippets are whole programs; they are compiled together with the consumer. */
const PAGES = ['docs/library.md', 'docs/errors.md', 'docs/embedded-registry.md', 'docs/motan.md'];
const inConsumer = (command: string, ...args: string[]) =>
  run(command, args, { cwd: path.join(folder, 'consumer'), timeout: 120_000 });

const dataUrl = (source: string): string => `data:text/javascript,${encodeURIComponent(source)}`;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'upsync-consumer-'));
  const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', folder], { cwd: ROOT });
  // The build in front of it may print as well.
  [packed] = JSON.parse(stdout.slice(stdout.search(/^\[/m))) as [Packed];
  await cp(path.join(ROOT, 'test/consumer'), path.join(folder, 'consumer'), { recursive: true });
  const options = ['--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error'];
  await inConsumer('npm', 'install', ...options, path.join(folder, path.basename(packed.filename)));
});
/** The TypeScript snippets of a page, each one a module. */
async function snippetsOf(page: string): Promise<string[]> {
  const text = await readFile(path.join(ROOT, page), 'utf8');
  return [...text.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, snippet]) => snippet!);
}

afterAll(() => rm(folder, { recursive: true, force: true }));

describe('the packed tarball', () => {
  it('holds what it must and nothing else', () => {
    const names = packed.files.map((file) => file.path);
    const needed = [
      ...['package.json', 'LICENSE', 'README.md', 'CHANGELOG.md', 'examples/nginx.conf'],
      ...['', 'discovery/', 'upsync/', 'motan/'].flatMap((entry) => [
        `dist/${entry}index.js`,
        `dist/${entry}index.d.ts`,
      ]),
      ...['dist/sidecar/main.js', 'dist/lua/upsync.lua', 'docs/errors.md', 'docs/library.md'],
    ];
    expect(needed.filter((name) => !names.includes(name))).toEqual([]);
    const allowed =
      /^(package\.json|LICENSE|README\.md|CHANGELOG\.md|examples\/[\w./-]+\.(mjs|conf|yaml|service)|docs\/[\w./-]+\.md|dist\/[\w./-]+(\.js|\.d\.ts|\.lua|\.css|\.html))$/;
    expect(names.filter((name) => !allowed.test(name))).toEqual([]);
    expect(names.filter((name) => /(^|\/)test\/|\.test\.|\/sidecar\/.*\.d\.ts$/.test(name))).toEqual([]);
  });

  it('keeps within its size budget', () => {
    console.log(
      `${packed.files.length} files, ${packed.unpackedSize} bytes, packed ${packed.size} of a budget of ${SIZE_BUDGET}`,
    );
    expect(packed.unpackedSize).toBeLessThan(SIZE_BUDGET);
  });

  it('points to no file outside of itself', async () => {
    const installed = path.join(folder, 'consumer/node_modules/upsync');
    const names = new Set(packed.files.map((file) => file.path));
    const outside: string[] = [];
    for (const name of names) {
      if (!/\.(js|d\.ts)$/.test(name)) continue;
      const text = await readFile(path.join(installed, name), 'utf8');
      for (const [, relative] of text.matchAll(/(?:from|import\(|new URL\()\s*'(\.{1,2}\/[^']+)'/g)) {
        // Declarations name the sources' extension, which the compiler reads as theirs.
        const target = path.join(path.dirname(name), relative!).replace(/\.ts$/, '.d.ts');
        if (!names.has(target)) outside.push(`${name}: ${target}`);
      }
    }
    expect(outside).toEqual([]);
  });
});

describe('a project that installs it', () => {
  it('type-checks with strict, our declarations and the snippets of our pages included', async () => {
    for (const page of PAGES) {
      const snippets = await snippetsOf(page);
      expect(snippets.length).toBeGreaterThan(0);
      for (const [at, snippet] of snippets.entries()) {
        const name = `${path.basename(page, '.md')}-${at + 1}.ts`;
        await writeFile(path.join(folder, 'consumer/src', name), snippet);
      }
    }
    const result = await inConsumer('npx', 'tsc', '-p', 'tsconfig.json').catch(
      (error: { stdout: string }) => error,
    );
    expect(result.stdout).toBe('');
  });

  it('runs: dispatcher, watch, sync, directives, renderers, names, registrar', async () => {
    const { stdout } = await inConsumer('node', 'out/main.js');
    expect(stdout).toBe('all of it works\n');
  });

  it('can require() every entry on Node 22', async () => {
    const { stdout } = await inConsumer('npx', '--yes', '-p', 'node@22', 'node', 'out/require.cjs');
    expect(stdout).toBe('function function function function\n');
  });

  it('runs on Node 22 as well', async () => {
    const { stdout } = await inConsumer('npx', '--yes', '-p', 'node@22', 'node', 'out/main.js');
    expect(stdout).toBe('all of it works\n');
  });

  it.each(['upsync', 'upsync/discovery', 'upsync/upsync', 'upsync/motan'])(
    'loads no package but undici to import %s',
    async (entry) => {
      // Prints the file of every module that is loaded, from the thread that loads them.
      const hook = `export async function load(url, context, next) { process._rawDebug(url); return next(url, context); }`;
      const register = `import { register } from 'node:module'; register(${JSON.stringify(dataUrl(hook))});`;
      const program = `const t = performance.now(); await import('${entry}'); console.log(performance.now() - t);`;
      const args = ['--import', dataUrl(register), '--input-type=module', '--eval', program];
      const { stdout, stderr } = await inConsumer('node', ...args);
      const packages = [...stderr.matchAll(/\/node_modules\/((?:@[^/]+\/)?[^/]+)\//g)].map(
        ([, name]) => name!,
      );
      console.log(`${entry}: ${packages.length} modules in ${Math.round(Number(stdout))} ms`);
      expect([...new Set(packages)].sort()).toEqual(['undici', 'upsync']);
    },
  );

  it('has the program, which tells its version', async () => {
    const { stdout } = await inConsumer('npx', 'upsync', '--version');
    const { version } = JSON.parse(await readFile(path.join(ROOT, 'package.json'), 'utf8')) as {
      version: string;
    };
    expect(stdout).toContain(version);
  });

  it('can give the tour, whose nginx.conf lies in the package', async () => {
    const main = path.join(folder, 'consumer/node_modules/upsync/dist/sidecar/main.js');
    const child = spawn(process.execPath, [main, 'demo'], { stdio: ['ignore', 'pipe', 'pipe'] });
    const ended = once(child, 'close');
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
    try {
      // The list that nginx shows, or the word that there is no nginx.
      const ready = /Backend server count: 3|There is no nginx/;
      await vi.waitFor(() => expect(output).toMatch(ready), { timeout: 20_000, interval: 50 });
    } finally {
      child.kill('SIGINT');
      const [code] = (await ended) as [number];
      expect([code, output]).toEqual([0, expect.any(String)]);
    }
  });
});
