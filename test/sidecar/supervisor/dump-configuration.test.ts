import path from 'node:path';
import { writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { dumpConfiguration } from '../../../src/sidecar/supervisor/dump-configuration.ts';
import { scratchFolder } from '../../helpers/scratch-folder.ts';

it('prints every file once as it is, data files too, in the order in which nginx reads them', () => {
  const folder = scratchFolder({
    'nginx.conf':
      'http { include mime.types; map $uri $m { include m.map; } include sub/../one.inc; include *.inc; include none; }',
    'mime.types': 'types { include more; }',
    more: 'text/html html;',
    'm.map': 'a b;',
    'one.inc': 'upstream u { include damaged; }',
    damaged: 'server {',
    'sub/x': '',
  });
  const latin = Buffer.from('# caf\xe9\n', 'latin1');
  writeFileSync(path.join(folder, 'two.inc'), latin);
  const dump = dumpConfiguration(path.join(folder, 'nginx.conf'));
  const names = dump.toString('latin1').match(/^# configuration file .*:$/gm);
  const expected = [
    'nginx.conf',
    'mime.types',
    'more',
    'm.map',
    'sub/../one.inc',
    'damaged',
    'one.inc',
    'two.inc',
  ];
  expect(names).toEqual(expected.map((name) => `# configuration file ${folder}/${name}:`));
  expect(dump.subarray(-latin.length - 1)).toEqual(Buffer.concat([latin, Buffer.from('\n')]));
});
