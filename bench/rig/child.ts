import { spawn, type ChildProcess, type StdioOptions } from 'node:child_process';
import { once } from 'node:events';
import { createConnection } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/** A program the bench started; it is ended by its own pid, with a bound. */
export interface Child {
  readonly pid: number;
  readonly process: ChildProcess;
  stop(signal?: NodeJS.Signals): Promise<void>;
}

const STOP_BOUND_MS = 10_000;
const living = new Set<Child>();

/** Ends whatever `start` started and nobody has stopped: what a scenario that fails leaves behind. */
export async function stopAll(): Promise<void> {
  await Promise.all([...living].map((child) => child.stop()));
}

export function start(
  program: string,
  args: readonly string[],
  stdio: StdioOptions = ['ignore', 'ignore', 'inherit'],
): Child {
  const process_ = spawn(program, args, { stdio, detached: true });
  process_.on('error', (error) => process.stderr.write(`${program}: ${error.message}\n`));
  const child: Child = {
    pid: process_.pid ?? -1,
    process: process_,
    stop: async (signal = 'SIGTERM') => {
      if (process_.exitCode !== null || process_.signalCode !== null) return;
      const ended = once(process_, 'exit');
      process_.kill(signal);
      const bound = AbortSignal.timeout(STOP_BOUND_MS);
      bound.addEventListener('abort', () => process_.kill('SIGKILL'), { once: true });
      await ended;
    },
  };
  living.add(child);
  process_.once('exit', () => living.delete(child));
  process_.once('error', () => living.delete(child));
  return child;
}

/** Runs a program to its end and gives what it printed on standard output; throws when it fails. */
export async function output(program: string, args: readonly string[], boundMs: number): Promise<string> {
  const child = spawn(program, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: boundMs,
    killSignal: 'SIGKILL',
  });
  let text = '';
  let errors = '';
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${code}:\n${errors || text}`);
  return text;
}

/** Waits until a connection to the port is accepted. */
export async function listening(port: number, boundMs = 10_000): Promise<void> {
  const end = performance.now() + boundMs;
  while (performance.now() < end) {
    const socket = createConnection(port, '127.0.0.1');
    const connected = await Promise.race([
      once(socket, 'connect').then(
        () => true,
        () => false,
      ),
      delay(500).then(() => false),
    ]);
    socket.destroy();
    if (connected) return;
    await delay(10);
  }
  throw new Error(`nothing listens on 127.0.0.1:${port} after ${boundMs / 1000} s`);
}
