import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { promisify } from 'node:util';
import { onTestFinished, vi } from 'vitest';

const ROOT = path.resolve(import.meta.dirname, '../..');

/** Brings dist/ up to date, since examples and consumers use the package as it is published. Quick when nothing changed. */
export async function buildPackage(): Promise<void> {
  await promisify(execFile)(process.execPath, ['scripts/build.mjs'], { cwd: ROOT }).catch(
    (error: Error & { stdout?: string }) => {
      throw new Error(`${error.stdout ?? ''}${error.message}`);
    },
  );
}

/** A program of examples/ at work; killed when the test ends. */
export interface RunningExample {
  readonly pid: number;
  /** Everything it has printed, both streams. */
  readonly output: () => string;
  /** Resolves with the match as soon as the output has one. */
  prints(pattern: RegExp): Promise<RegExpExecArray>;
  /** Resolves with its exit code, or the signal that ended it. */
  readonly exit: Promise<number | string>;
}

/** Starts `examples/<name>`; `env` goes on top of our own environment. */
export function runExample(name: string, env: Readonly<Record<string, string>>): RunningExample {
  const child: ChildProcess = spawn(process.execPath, [path.join('examples', name)], {
    cwd: ROOT,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  child.stdout!.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr!.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const exit = once(child, 'close').then(([code, signal]) => (code ?? signal) as number | string);
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await exit;
  });
  return {
    pid: child.pid!,
    output: () => output,
    prints: (pattern) =>
      vi.waitFor(
        () => {
          const found = pattern.exec(output);
          if (found === null) throw new Error(`${name} did not print ${String(pattern)}, but:\n${output}`);
          return found;
        },
        { timeout: 10_000, interval: 20 },
      ),
    exit,
  };
}
