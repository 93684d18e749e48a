import { type ChildProcess, spawn, spawnSync, type SpawnSyncReturns } from 'node:child_process';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createEmbeddedRegistry, type EmbeddedRegistry } from '../../src/discovery/embedded/registry.ts';
import { type Backend, startBackend } from './backend.ts';
import { freePort } from './ports.ts';

const MAIN = path.resolve(import.meta.dirname, '../../dist/sidecar/main.js');
const NGINX = path.resolve(import.meta.dirname, '../../dist/sidecar/nginx.js');

/** One `upsync nginx` that was started. */
export interface Started {
  readonly child: ChildProcess;
  /** What the pid file says. */
  readonly pid: number;
  /** From the start of our process until the pid file was there. */
  readonly startMs: number;
  /** Standard output and error so far. */
  readonly output: () => string;
  readonly exit: Promise<number>;
}

/** What the harness of a test needs of its runner; tap's test object fits. */
interface Harness {
  teardown(step: () => unknown): void;
}

/**
 * A machine of its own for one test: a folder, a registry, ports and the built program, all on loopback. Everything it
 * started is ended and removed with the test.
 */
export class Box {
  readonly folder = realpathSync(mkdtempSync(path.join(tmpdir(), 'upsync-acc-')));
  readonly env: NodeJS.ProcessEnv;
  registry!: EmbeddedRegistry;
  proxyPort = 0;
  readonly #children: ChildProcess[] = [];
  readonly #backends: Backend[] = [];

  static async open(t: Harness): Promise<Box> {
    if (!existsSync(MAIN)) throw new Error(`${MAIN} is missing: npm run build first`);
    const box = new Box();
    t.teardown(() => box.close());
    box.registry = await createEmbeddedRegistry({ listen: '127.0.0.1:0' });
    box.proxyPort = await freePort();
    return box;
  }

  private constructor() {
    this.env = {
      ...process.env,
      UPSYNC_RUNTIME_DIR: path.join(this.folder, 'run'),
      UPSYNC_LOG_FORMAT: 'json',
    };
  }

  file(name: string): string {
    return path.join(this.folder, name);
  }

  read(name: string): string {
    return existsSync(this.file(name)) ? readFileSync(this.file(name), 'utf8') : '';
  }

  /** Writes nginx.conf: `upstream test` from the registry, `upstream_show` at /upstream_list, the rest as given. */
  configure(options: { main?: string; upstream?: string; http?: string; location?: string } = {}): void {
    writeFileSync(
      this.file('nginx.conf'),
      `${options.main ?? 'daemon off;'}
worker_processes 2;
events { }
http {
  access_log off;
  upstream test {
    ${
      options.upstream ??
      `upsync 127.0.0.1:${this.registry.port}/v1/kv/upstreams/test/ upsync_type=consul upsync_interval=50ms;
    upsync_dump_path ${this.file('servers_test.conf')};
    server 127.0.0.1:1;`
    }
  }
  ${options.http ?? ''}
  server {
    listen 127.0.0.1:${this.proxyPort};
    location / { proxy_pass http://test; }
    location /upstream_list { upstream_show; }
    ${options.location ?? ''}
  }
}
`,
    );
  }

  /** The arguments by which nginx's own test library starts nginx. */
  get args(): string[] {
    const globals = `pid ${this.file('nginx.pid')}; error_log ${this.file('error.log')} info;`;
    return ['-c', this.file('nginx.conf'), '-p', this.folder, '-g', globals];
  }

  /** Starts `upsync nginx` and waits for its pid file. */
  async start(args: readonly string[] = this.args): Promise<Started> {
    const began = performance.now();
    const started = this.spawn(NGINX, args);
    await until(() => existsSync(this.file('nginx.pid')) || started.child.exitCode !== null);
    const pid = Number(this.read('nginx.pid'));
    if (pid === 0)
      throw new Error(`upsync nginx did not start: ${started.output()}${this.read('error.log')}`);
    return { ...started, pid, startMs: performance.now() - began };
  }

  /** Runs the program without waiting for anything. */
  spawn(script: string, args: readonly string[]): Omit<Started, 'pid' | 'startMs'> {
    const child = spawn(process.execPath, [script, ...args], {
      env: this.env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#children.push(child);
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => (output += text));
    const exit = new Promise<number>((resolve) => child.once('exit', (code) => resolve(code ?? -1)));
    return { child, output: () => output, exit };
  }

  spawnMain(args: readonly string[]): Omit<Started, 'pid' | 'startMs'> {
    return this.spawn(MAIN, args);
  }

  /** Runs one command to its end. */
  run(...args: readonly string[]): SpawnSyncReturns<string> {
    return spawnSync(process.execPath, [MAIN, ...args], { env: this.env, encoding: 'utf8', timeout: 30_000 });
  }

  /** As `run`, with the test's own server able to answer meanwhile. */
  async runAsync(...args: readonly string[]): Promise<{ readonly status: number; readonly output: string }> {
    const { exit, output } = this.spawn(MAIN, args);
    const status = await exit;
    await delay(10);
    return { status, output: output() };
  }

  async backend(): Promise<Backend> {
    const backend = await startBackend();
    this.#backends.push(backend);
    return backend;
  }

  async put(address: string, attributes: object | string = '', upstream = 'test'): Promise<void> {
    const body = typeof attributes === 'string' ? attributes : JSON.stringify(attributes);
    const url = `${this.registry.url}/v1/kv/upstreams/${upstream}/${address}`;
    if ((await (await fetch(url, { method: 'PUT', body })).text()).trim() !== 'true')
      throw new Error(`PUT ${url}`);
  }

  async remove(address: string, upstream = 'test'): Promise<void> {
    await fetch(`${this.registry.url}/v1/kv/upstreams/${upstream}/${address}`, { method: 'DELETE' });
  }

  async get(url: string): Promise<{ readonly status: number; readonly text: string }> {
    const response = await fetch(`http://127.0.0.1:${this.proxyPort}${url}`, {
      headers: { connection: 'close' },
      signal: AbortSignal.timeout(5000),
    });
    return { status: response.status, text: await response.text() };
  }

  async list(name = 'test'): Promise<string> {
    return (await this.get(`/upstream_list?${name}`)).text;
  }

  /** The real nginx master and its workers, seen from the runtime directory. */
  processes(): { readonly master: number; readonly workers: readonly number[]; readonly engine: number } {
    const file = this.#private('supervisor.json');
    const state = JSON.parse(readFileSync(file, 'utf8')) as Record<string, { pid: number } | undefined>;
    const master = state.master?.pid ?? 0;
    const children = readFileSync(`/proc/${master}/task/${master}/children`, 'utf8');
    return {
      master,
      workers: children.split(' ').filter(Boolean).map(Number),
      engine: state.engine?.pid ?? 0,
    };
  }

  /** The unix socket over which the engine drives nginx. */
  controlSocket(): string {
    return this.#private('control.sock');
  }

  async close(): Promise<void> {
    const pids = this.#leftovers();
    for (const child of this.#children) if (child.exitCode === null) child.kill('SIGTERM');
    await until(() =>
      this.#children.every((child) => child.exitCode !== null || child.signalCode !== null),
    ).catch(() => {
      for (const child of this.#children) child.kill('SIGKILL');
    });
    for (const pid of pids) if (isAlive(pid)) process.kill(pid, 'SIGKILL');
    for (const backend of this.#backends) await backend.close();
    await this.registry.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  // Those that outlive a supervisor a test has killed.
  #private(name: string): string {
    const [runtime] = readdirSync(this.file('run'));
    return path.join(this.file('run'), runtime!, 'private', name);
  }

  #leftovers(): number[] {
    try {
      const { master, workers, engine } = this.processes();
      return [master, ...workers, engine].filter((pid) => pid > 1);
    } catch {
      return []; // Nothing was left.
    }
  }
}

/** Waits until the condition holds, looking often; fails after ten seconds. */
export async function until(condition: () => boolean | Promise<boolean>, boundMs = 10_000): Promise<void> {
  const end = performance.now() + boundMs;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`still not so after ${boundMs} ms: ${condition.toString()}`);
    await delay(5);
  }
}

/** Whether a process is there and no zombie. */
export function isAlive(pid: number): boolean {
  try {
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}
