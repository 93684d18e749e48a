import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';

// There is no container engine where the tests run: this reads the Dockerfile instead of building it.

const ROOT = path.resolve(import.meta.dirname, '../..');
const read = (name: string): string => readFileSync(path.join(ROOT, name), 'utf8');

interface Step {
  readonly word: string;
  readonly rest: string;
}

const steps: readonly Step[] = read('Dockerfile')
  .replaceAll(/^#.*\n/gm, '')
  .replaceAll(/\\\n\s*/g, '')
  .split('\n')
  .filter((line) => line.trim() !== '')
  .map((line) => ({ word: line.slice(0, line.indexOf(' ')), rest: line.slice(line.indexOf(' ') + 1) }));
const the = (word: string): string[] => steps.filter((step) => step.word === word).map(({ rest }) => rest);
const copied = the('COPY')
  .filter((rest) => !rest.startsWith('--from='))
  .flatMap((rest) => rest.split(' ').slice(0, -1));

describe('the Dockerfile', () => {
  let packed: readonly string[];
  beforeAll(async () => {
    const { stdout } = await promisify(execFile)('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
      cwd: ROOT,
    });
    const [{ files }] = JSON.parse(stdout.slice(stdout.search(/^\[/m))) as [{ files: { path: string }[] }];
    packed = files.map((file) => file.path);
  });

  it('builds and runs on the same small image, and ends with nothing but what it installs', () => {
    expect(the('FROM')).toEqual(['node:22-bookworm-slim AS build', 'node:22-bookworm-slim']);
    const last = steps.slice(steps.findLastIndex(({ word }) => word === 'FROM'));
    expect(last.filter(({ word }) => word === 'COPY').map(({ rest }) => rest)).toEqual([
      '--from=build /opt/upsync /opt/upsync',
    ]);
  });

  it.each(copied)('copies %s, which is there and not ignored', (name) => {
    expect(existsSync(path.join(ROOT, name))).toBe(true);
    expect(read('.dockerignore').split('\n')).toContain(`!${name}`);
  });

  it('lets in nothing else', () => {
    expect(read('.dockerignore').trim().split('\n').sort()).toEqual(
      ['*', ...copied.map((name) => `!${name}`)].sort(),
    );
  });

  it('copies whatever the package is packed from', () => {
    const sources = packed.filter((file) => !file.startsWith('dist/'));
    const missing = sources.filter(
      (file) => !copied.some((name) => file === name || file.startsWith(`${name}/`)),
    );
    expect(missing).toEqual([]);
    // What dist/ is made from: scripts/build.mjs names its inputs.
    expect(copied).toEqual(expect.arrayContaining(['src', 'scripts', 'tsconfig.json', 'tsconfig.lua.json']));
  });

  it('installs a package that has the program it starts', () => {
    const { bin } = JSON.parse(read('package.json')) as { bin: { upsync: string } };
    expect(packed).toContain(path.normalize(bin.upsync));
    expect(packed).toContain('dist/lua/upsync.lua');
    expect(the('RUN').at(-1)).toBe(`ln -s /opt/upsync/${path.normalize(bin.upsync)} /usr/local/bin/upsync`);
    expect(the('ENTRYPOINT')).toEqual(['["upsync"]']);
    expect(the('CMD')).toEqual([`["nginx", "-g", "daemon off;"]`]);
    expect(the('STOPSIGNAL')).toEqual(['SIGQUIT']);
    expect(the('HEALTHCHECK')[0]).toMatch(/CMD \["upsync", "show"\]$/);
  });

  it('installs the versions of the lock file, since whatever is newer was not tested', () => {
    const run = the('RUN').join(' && ');
    expect(run).toContain('npm ci ');
    expect(run).toContain('npm prune --omit=dev ');
    expect(run).not.toContain('npm install');
  });

  it('has the folder that the examples keep their dump files in', () => {
    expect(read('README.md')).toContain('upsync_dump_path /var/lib/upsync/');
    expect(the('RUN').at(-2)).toContain('mkdir /var/lib/upsync');
  });

  it('holds no secret', () => {
    expect(the('ARG')).toEqual([]);
    expect(read('Dockerfile')).not.toMatch(/token|secret|password|\.npmrc/i);
  });
});
