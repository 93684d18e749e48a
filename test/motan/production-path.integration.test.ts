import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { locateConsul, NO_CONSUL, startConsul } from '../helpers/consul.ts';

const run = promisify(execFile);
const ROOT = path.resolve(import.meta.dirname, '../..');

/** Runs the example; it ends with another code than 0 when a request failed that was not in flight at the kill. */
async function example(...words: readonly string[]): Promise<string> {
  await run(process.execPath, [path.join(ROOT, 'scripts/build.mjs')], { cwd: ROOT });
  const program = path.join(ROOT, 'examples/production-path/run.mjs');
  const { stdout } = await run(process.execPath, [program, ...words]);
  expect(stdout).toMatch(/all is well\n.*api a → user a → redis a\n.*api b → user b → redis a/);
  expect(stdout).toMatch(/without IDC a\n[^\n]*api b → user b → redis b\n/);
  expect(stdout).toMatch(/IDC a is back\n[^\n]*api a → user a → redis a\n[^\n]*api b → user b → redis a\n/);
  expect(stdout).toMatch(/\d{3,} requests, \d+ failed, 0 of them not in flight at the kill/);
  expect(stdout).toContain('good: everything moved and came back');
  return stdout;
}

it(
  'loses and regains an IDC without a failed request beyond those in flight',
  { timeout: 150_000 },
  async () => {
    expect(await example()).toContain('IDC a is killed (API, service, Redis, registry)');
  },
);

it('does so with a real Consul, and leaves nothing in it', { timeout: 240_000 }, async () => {
  if ((await locateConsul()) === undefined) {
    console.log(NO_CONSUL);
    return;
  }
  const consul = await startConsul();
  try {
    expect(await example('--consul', consul.url)).toContain('IDC a is killed (API, service, Redis)');
    expect(await (await fetch(`${consul.url}/v1/agent/services`)).json()).toEqual({});
  } finally {
    await consul.stop();
  }
});
