import { symlinkSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { ConfigErrors } from '../../../../src/upsync/config-error.ts';
import { expandGlob } from '../../../../src/upsync/nginx/config/glob.ts';
import { loadConfig, visit } from '../../../../src/upsync/nginx/config/load.ts';
import { scratchFolder } from '../../../helpers/scratch-folder.ts';

const names = (main: string): string[] =>
  [...visit(loadConfig(main))].map(({ directive }) => directive.name).filter((name) => name !== 'include');
const errorsOf = (main: string): string[] => {
  try {
    loadConfig(main);
  } catch (error) {
    if (error instanceof ConfigErrors) return error.errors.map(({ message }) => message);
    throw error;
  }
  return [];
};

describe('includes', () => {
  it('belong to the folder of the main file, also in nested files', () => {
    const folder = scratchFolder({
      'nginx.conf': 'a; include sub/one.conf; b;',
      'sub/one.conf': 'c; include sub/two.conf; d;',
      'sub/two.conf': 'e;',
    });
    expect(names(path.join(folder, 'nginx.conf'))).toEqual(['a', 'c', 'e', 'd', 'b']);
  });

  it('take absolute paths and paths with dots', () => {
    const folder = scratchFolder({ 'conf/nginx.conf': '', 'x.conf': 'x;', 'y.conf': 'y;' });
    const other = scratchFolder({
      'nginx.conf': `include ${folder}/x.conf; include ${folder}/conf/../y.conf;`,
    });
    expect(names(path.join(other, 'nginx.conf'))).toEqual(['x', 'y']);
  });

  it('take patterns in the order of bytes, hidden files left out', () => {
    const folder = scratchFolder({
      'nginx.conf': 'include d/*.conf;',
      'd/b.conf': 'b;',
      'd/B.conf': 'upper;',
      'd/10.conf': 'ten;',
      'd/2.conf': 'two;',
      'd/.hidden.conf': 'hidden;',
      'd/x.conf.bak': 'bak;',
    });
    expect(names(path.join(folder, 'nginx.conf'))).toEqual(['ten', 'two', 'upper', 'b']);
  });

  it('with dots in a pattern lead where the kernel leads, over symbolic links', () => {
    const folder = scratchFolder({ 'real/conf/x': '', 'real/d/a.conf': 'a;', 'd/b.conf': 'b;' });
    symlinkSync('real/conf', path.join(folder, 'conf'));
    const pattern = path.join(folder, 'conf') + '/../d/*.conf';
    expect(expandGlob(pattern)).toEqual([`${folder}/conf/../d/a.conf`]);
  });

  it('may match nothing when a pattern is used', () => {
    const folder = scratchFolder({ 'nginx.conf': 'include none/*.conf; a;' });
    expect([...visit(loadConfig(path.join(folder, 'nginx.conf')))].length).toBe(2);
  });

  it('are not followed in data blocks, where "include" is data too', () => {
    const folder = scratchFolder({
      'nginx.conf': 'http { types { include none.types; } map $a $b { include x; } }',
    });
    expect(names(path.join(folder, 'nginx.conf'))).toEqual(['http', 'types', 'map']);
  });

  it('remember a missing file with the place and the words of nginx', () => {
    const folder = scratchFolder({ 'nginx.conf': 'a;\ninclude none.conf;' });
    const main = path.join(folder, 'nginx.conf');
    const [included] = loadConfig(main).includes.values();
    expect(included!.failure!.message).toBe(
      `open() "${folder}/none.conf" failed (2: No such file or directory) in ${main}:2`,
    );
  });

  it('that lead in a circle are an error, not an endless loop', () => {
    const folder = scratchFolder({ 'nginx.conf': 'a;\ninclude nginx.conf;' });
    expect(errorsOf(path.join(folder, 'nginx.conf'))).toEqual([
      `includes are nested more than 100 deep in ${folder}/nginx.conf:2`,
    ]);
  });

  it('that do not parse are all reported', () => {
    const folder = scratchFolder({
      'nginx.conf': 'include *.inc;',
      'a.inc': 'a',
      'b.inc': '}',
      'c.inc': 'c;',
    });
    expect(errorsOf(path.join(folder, 'nginx.conf'))).toEqual([
      `unexpected end of file, expecting ";" or "}" in ${folder}/a.inc:1`,
      `unexpected "}" in ${folder}/b.inc:1`,
    ]);
  });

  it('know the blocks around them', () => {
    const folder = scratchFolder({ 'nginx.conf': 'http { server { include x; } }', x: 'location / { y; }' });
    const [y] = [...visit(loadConfig(path.join(folder, 'nginx.conf')))].filter(
      ({ directive }) => directive.name === 'y',
    );
    expect(y!.parents.map(({ name }) => name)).toEqual(['http', 'server', 'location']);
    expect(y!.file.path).toBe(path.join(folder, 'x'));
  });
});

it('says as nginx does that the main file cannot be opened', () => {
  expect(() => loadConfig('/nonexistent/nginx.conf')).toThrowError(
    /^open\(\) "\/nonexistent\/nginx.conf" failed \(2: No such file or directory\)$/,
  );
});

describe('patterns', () => {
  const rows: readonly (readonly [string, readonly string[]])[] = [
    ['*.conf', ['a.conf', 'ab.conf', 'b.conf']],
    ['?.conf', ['a.conf', 'b.conf']],
    ['[ab].conf', ['a.conf', 'b.conf']],
    ['[!a].conf', ['b.conf']],
    ['[a-z]*.conf', ['a.conf', 'ab.conf', 'b.conf']],
    ['.*.conf', ['.h.conf']],
    ['d*/*.conf', ['d1/x.conf', 'd2/x.conf']],
    ['link/*', ['link/x.conf']],
    ['a.conf/*', []],
    ['a\\.conf*', ['a.conf']],
    ['[]x]y', [']y']],
  ];
  it.each(rows)('%s', (pattern, expected) => {
    const files = ['a.conf', 'ab.conf', 'b.conf', '.h.conf', 'd1/x.conf', 'd2/x.conf', ']y'];
    const folder = scratchFolder(Object.fromEntries(files.map((name) => [name, ''])));
    symlinkSync(path.join(folder, 'd1'), path.join(folder, 'link'));
    expect(expandGlob(path.join(folder, pattern))).toEqual(expected.map((name) => path.join(folder, name)));
  });
});
