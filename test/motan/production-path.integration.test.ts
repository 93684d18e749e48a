import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const run = promisify(execFile);
const ROOT = path.resolve(import.meta.dirname, '../..');

it(
  'loses and regains an IDC without a failed request beyond those in flight',
  { timeout: 150_000 },
  async () => {
    await run(process.execPath, [path.join(ROOT, 'scripts/build.mjs')], { cwd: ROOT });
    const { stdout } = await run(process.execPath, [path.join(ROOT, 'examples/production-path/run.mjs')]);
    expect(stdout).toMatch(/all is well\n.*api a → user a → redis a\n.*api b → user b → redis a/);
    expect(stdout).toMatch(/without IDC a\n[^\n]*api b → user b → redis b\n/);
    expect(stdout).toContain('good: everything moved and came back');
  },
);
