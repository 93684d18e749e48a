import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { RuntimeDirectory } from '../../../src/upsync/nginx/runtime-directory.ts';
import { renderTranslation, writeTranslation } from '../../../src/upsync/nginx/render-translation.ts';
import type { Translation } from '../../../src/upsync/nginx/translation.ts';
import { scratchFolder } from '../../helpers/scratch-folder.ts';

const translation = (folder: string, texts: Record<string, string>, main = 'nginx.conf'): Translation => ({
  main: path.join(folder, main),
  mode: 'workers',
  files: Object.entries(texts).map(([name, text]) => ({ original: path.join(folder, name), text })),
  plans: [],
  boot: { upstreams: [] },
  facts: {
    prefix: '/',
    confFolder: folder,
    pid: '/x.pid',
    daemon: true,
    masterProcess: true,
    workerProcesses: '1',
  },
  warnings: [],
});
const read = (...parts: string[]): string => readFileSync(path.join(...parts), 'latin1');

describe('the mirror', () => {
  it('holds changed files, and leads to everything else by any relative name', () => {
    const folder = scratchFolder({
      'etc/nginx.conf': 'old',
      'etc/sub/a.conf': 'old a',
      'etc/sub/b.conf': 'b',
      'etc/mime': 'mime',
      'certs/c.pem': 'pem',
    });
    const runtime = new RuntimeDirectory(path.join(scratchFolder(), 'run'));
    const generation = runtime.write(
      translation(folder, { 'etc/nginx.conf': 'new \xff', 'etc/sub/a.conf': 'new a' }, 'etc/nginx.conf'),
    );
    expect(existsSync(runtime.mainFile(path.join(folder, 'etc/nginx.conf')))).toBe(false);
    expect(read(generation.candidate)).toBe('new \xff');
    generation.activate();
    const main = runtime.mainFile(path.join(folder, 'etc/nginx.conf'));
    expect(main).toBe(path.join(runtime.root, 'conf', folder, 'etc/nginx.conf'));
    const at = path.dirname(main);
    expect(read(main)).toBe('new \xff');
    expect(read(at, 'sub/a.conf')).toBe('new a');
    expect(read(at, 'sub/b.conf')).toBe('b');
    expect(read(at, 'mime')).toBe('mime');
    // Not path.join, which would take the dots away before the kernel sees them.
    expect(readFileSync(`${at}/../certs/c.pem`, 'latin1')).toBe('pem');
    expect(readFileSync(`${at}/sub/../mime`, 'latin1')).toBe('mime');
  });

  it('resolves folders that are symbolic links as the kernel does', () => {
    const folder = scratchFolder({
      'opt/nginx/nginx.conf': 'old',
      'opt/nginx/available/a.conf': 'old a',
      'opt/certs/c.pem': 'pem',
    });
    mkdirSync(path.join(folder, 'etc'));
    symlinkSync('../opt/nginx', path.join(folder, 'etc/nginx'));
    symlinkSync('available', path.join(folder, 'opt/nginx/enabled'));
    const runtime = new RuntimeDirectory(path.join(scratchFolder(), 'run'));
    const files = { 'etc/nginx/nginx.conf': 'new', 'etc/nginx/enabled/a.conf': 'new a' };
    runtime.write(translation(folder, files, 'etc/nginx/nginx.conf')).activate();
    const main = runtime.mainFile(path.join(folder, 'etc/nginx/nginx.conf'));
    const at = path.dirname(main);
    expect(read(main)).toBe('new');
    expect(read(at, 'enabled/a.conf')).toBe('new a');
    expect(readFileSync(`${at}/../certs/c.pem`, 'latin1')).toBe('pem');
    expect(runtime.mapBack(`x in ${main}:3`)).toBe(`x in ${folder}/etc/nginx/nginx.conf:3`);
  });

  it('is the user’s own file where only others changed', () => {
    const folder = scratchFolder({ 'nginx.conf': 'same', 'a.conf': 'old' });
    const runtime = new RuntimeDirectory(path.join(scratchFolder(), 'run'));
    runtime.write(translation(folder, { 'a.conf': 'new' })).activate();
    expect(read(runtime.mainFile(path.join(folder, 'nginx.conf')))).toBe('same');
  });

  it('lets workers pass, keeps modes of files no wider than they were, and its private folder closed', () => {
    const folder = scratchFolder({ 'nginx.conf': 'old', 'a.conf': 'old' });
    chmodSync(path.join(folder, 'nginx.conf'), 0o600);
    const umask = process.umask(0o077);
    try {
      const runtime = new RuntimeDirectory(path.join(scratchFolder(), 'run'));
      const generation = runtime.write(translation(folder, { 'nginx.conf': 'new', 'a.conf': 'new' }));
      const mode = (file: string): number => statSync(file).mode & 0o777;
      expect(mode(generation.candidate)).toBe(0o600);
      expect(mode(path.dirname(generation.candidate))).toBe(0o711);
      expect(mode(runtime.root)).toBe(0o711);
      expect(mode(runtime.privateFolder)).toBe(0o700);
    } finally {
      process.umask(umask);
    }
  });
});

describe('generations', () => {
  it('replace each other in one step, and none is left behind', () => {
    const folder = scratchFolder({ 'nginx.conf': 'old' });
    const runtime = new RuntimeDirectory(path.join(scratchFolder(), 'run'));
    const main = runtime.mainFile(path.join(folder, 'nginx.conf'));
    for (const text of ['one', 'two', 'three']) {
      runtime.write(translation(folder, { 'nginx.conf': text })).activate();
      expect(read(main)).toBe(text);
    }
    const refused = runtime.write(translation(folder, { 'nginx.conf': 'bad' }));
    refused.discard();
    expect(read(main)).toBe('three');
    expect(readdirSync(runtime.root).sort()).toEqual(['conf', 'conf.3', 'private']);
    // Two that wait at the same time do not share a folder.
    const first = runtime.write(translation(folder, { 'nginx.conf': 'first' }));
    const second = runtime.write(translation(folder, { 'nginx.conf': 'second' }));
    expect([read(first.candidate), read(second.candidate)]).toEqual(['first', 'second']);
    runtime.remove();
    expect(readdirSync(runtime.root)).toEqual(['private']);
  });

  it('go on after a restart of the program', () => {
    const folder = scratchFolder({ 'nginx.conf': 'old' });
    const root = path.join(scratchFolder(), 'run');
    new RuntimeDirectory(root).write(translation(folder, { 'nginx.conf': 'one' })).activate();
    const runtime = new RuntimeDirectory(root);
    runtime.write(translation(folder, { 'nginx.conf': 'two' })).activate();
    expect(read(runtime.mainFile(path.join(folder, 'nginx.conf')))).toBe('two');
  });
});

describe('a folder that cannot be trusted', () => {
  it('is refused when others may write to it', () => {
    const folder = scratchFolder();
    chmodSync(folder, 0o777);
    expect(() => new RuntimeDirectory(folder)).toThrowError(
      `cannot use the runtime directory ${folder}: others may write to it`,
    );
  });

  it('is refused when it is a link', () => {
    const folder = scratchFolder({ 'real/x': '' });
    symlinkSync('real', path.join(folder, 'link'));
    expect(() => new RuntimeDirectory(path.join(folder, 'link'))).toThrowError(/it is no folder/);
  });
});

it('takes dots out of the paths that nginx names', () => {
  const folder = scratchFolder({ 'nginx.conf': '' });
  const runtime = new RuntimeDirectory(path.join(scratchFolder(), 'run'));
  expect(
    runtime.mapBack(
      `open() "${runtime.root}/conf${folder}/../x.conf" failed in ${runtime.root}/conf.1${folder}/a/../b:3`,
    ),
  ).toBe(`open() "${path.dirname(folder)}/x.conf" failed in ${folder}/b:3`);
});

it('maps every path of the mirror back in nginx’s messages', () => {
  const folder = scratchFolder({ 'nginx.conf': '' });
  const runtime = new RuntimeDirectory(path.join(scratchFolder(), 'run'));
  const { root } = runtime;
  expect(
    runtime.mapBack(
      `unknown directive "x" in ${root}/conf.2${folder}/a.conf:3\nfile ${root}/conf${folder}/nginx.conf test is ok, ${root}/private/x`,
    ),
  ).toBe(
    `unknown directive "x" in ${folder}/a.conf:3\nfile ${folder}/nginx.conf test is ok, ${root}/private/x`,
  );
});

describe('rendering', () => {
  it('names each file above its text', () => {
    expect(renderTranslation(translation('/etc', { 'nginx.conf': 'a;\n', 'b.conf': 'b;' }))).toBe(
      '# configuration file /etc/nginx.conf:\na;\n\n# configuration file /etc/b.conf:\nb;\n',
    );
    expect(renderTranslation(translation('/etc', {}))).toBe(
      '# /etc/nginx.conf has nothing to translate: nginx reads it as it is\n',
    );
  });

  it('writes files under a folder', () => {
    const folder = scratchFolder();
    expect(writeTranslation(translation('/etc', { 'a/b.conf': '\xff' }), folder)).toEqual([
      `${folder}/etc/a/b.conf`,
    ]);
    expect(read(folder, 'etc/a/b.conf')).toBe('\xff');
  });
});
