import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, rmSync } from 'node:fs';

/** What `nginx -t` said. */
export interface TestResult {
  readonly ok: boolean;
  /** Its messages, one a line. */
  readonly output: string;
}

// A configuration that takes longer to read than this (DNS names in it, say) would make a reload hang for ever.
const BOUND_MS = 60_000;

/**
 * Lets nginx check a configuration. Its messages go over a file and not a pipe, since a configuration may name
 * `/dev/stderr`, which cannot be opened when it is a socket, as Node's pipes are.
 */
export async function testConfiguration(
  nginx: string,
  args: readonly string[],
  scratchFile: string,
): Promise<TestResult> {
  rmSync(scratchFile, { force: true });
  const descriptor = openSync(scratchFile, 'ax', 0o600);
  try {
    const code = await new Promise<number>((resolve, reject) => {
      const child = spawn(nginx, ['-t', ...args], {
        stdio: ['ignore', descriptor, descriptor],
        timeout: BOUND_MS,
      });
      child.once('error', reject);
      child.once('exit', (exitCode) => resolve(exitCode ?? 1));
    });
    return { ok: code === 0, output: readFileSync(scratchFile, 'utf8') };
  } finally {
    closeSync(descriptor);
    rmSync(scratchFile, { force: true });
  }
}
