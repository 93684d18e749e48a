import path from 'node:path';
import { expect, it } from 'vitest';
import { parseNginxArguments } from '../../../src/sidecar/supervisor/arguments.ts';
import { misplacedConf } from '../../../src/sidecar/supervisor/main-paths.ts';

it.each([
  ['a file of the working directory that is not below the prefix', 'package.json', '/none', true],
  ['a file that is below the prefix', 'package.json', process.cwd(), false],
  ['a file that is nowhere', 'none.conf', '/none', false],
  ['a whole path', path.resolve('package.json'), '/none', false],
])('%s: a relative -c surprises or not', (_what, confPath, prefix, surprises) => {
  const args = parseNginxArguments(['-c', confPath]);
  const said = misplacedConf(args, { main: path.resolve(prefix, confPath), prefix });
  if (surprises) expect(said).toContain(`write -c ${path.resolve('package.json')}`);
  else expect(said).toBeUndefined();
});
