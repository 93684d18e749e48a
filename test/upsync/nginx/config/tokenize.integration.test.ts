import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { tokenize } from '../../../../src/upsync/nginx/config/tokenize.ts';
import { scratchFolder } from '../../../helpers/scratch-folder.ts';

const PIECES = [
  'a',
  'x1',
  ' ',
  ' ',
  '\n',
  '\r\n',
  '\t',
  ';',
  ';',
  '{',
  '}',
  '"',
  "'",
  '\\',
  '#',
  '$',
  '${',
  '\\n',
  '\\"',
  '(',
  ')',
];

// nginx knows none of these words, so it names the first directive as it understands it, and its line.
function whatNginxSays(folder: string, text: string): string {
  const file = path.join(folder, 'nginx.conf');
  writeFileSync(file, text, 'latin1');
  const args = ['-t', '-q', '-c', file, '-p', folder, '-e', 'stderr', '-g', 'error_log stderr;'];
  const { stderr } = spawnSync('nginx', args, { encoding: 'latin1' });
  const found = /\[emerg\] \d+#\d+: ([^]*?) in \S+?nginx\.conf:(\d+)(, expecting [^\n]*)?/.exec(stderr);
  return found
    ? `${found[1]}${found[3] ?? ''} in f:${found[2]}`
    : stderr.includes('no "events"')
      ? 'empty'
      : stderr;
}

function whatWeSay(text: string): string {
  try {
    const tokens = tokenize(text, 'f');
    const name = tokens.find(({ kind }) => kind === 'word');
    const end = tokens.find(({ kind }) => kind === 'semicolon' || kind === 'open');
    return name && end ? `unknown directive "${name.value}" in f:${end.line}` : 'empty';
  } catch (error) {
    return (error as Error).message;
  }
}

it('reads any text as nginx does, errors included', () => {
  const folder = scratchFolder({ 'logs/x': '' });
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...PIECES), { minLength: 1, maxLength: 14 }), (pieces) => {
      const text = pieces.join('');
      const [nginx, ours] = [whatNginxSays(folder, text), whatWeSay(text)];
      // nginx stops at the first directive it does not know; we read on and may find an error behind it.
      if (nginx.startsWith('unknown directive') && ours.startsWith('unexpected')) return;
      expect(ours).toBe(nginx);
    }),
    { numRuns: 300 },
  );
});
