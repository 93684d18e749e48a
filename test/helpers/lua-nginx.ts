import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BootUpstream } from '../../src/upsync/nginx/boot.ts';
import { httpPreamble, initLua, initWorkerLua, logLua } from '../../src/upsync/nginx/snippets.ts';
import { encodeBoot } from '../../src/upsync/nginx/wire.ts';
import { freePort } from './ports.ts';

/** The worker's code, compiled once for each state of its sources: the compiler takes seconds. */
export function compiledWorker(): string {
  const sources = createHash('sha256');
  for (const folder of [
    'src/balancer',
    'src/upsync/nginx/worker',
    'scripts/build-lua.mjs',
    'tsconfig.lua.json',
  ])
    for (const file of filesIn(folder)) sources.update(file).update(readFileSync(file));
  const directory = resolve('node_modules/.cache/upsync-lua', sources.digest('hex').slice(0, 16));
  const compiled = join(directory, 'upsync.lua');
  if (existsSync(compiled)) return compiled;
  const fresh = `${directory}.${process.pid}`;
  execFileSync(process.execPath, ['scripts/build-lua.mjs', fresh], { stdio: 'pipe' });
  mkdirSync(directory, { recursive: true });
  renameSync(join(fresh, 'upsync.lua'), compiled);
  rmSync(fresh, { recursive: true });
  return compiled;
}

function filesIn(path: string): string[] {
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path)
    .sort()
    .map((name) => join(path, name));
}

/** Asks again until `probe` gives something other than undefined or false, for at most `ms`. */
export async function until<T>(
  probe: () => T | undefined | false | Promise<T | undefined | false>,
  ms = 5000,
) {
  const end = performance.now() + ms;
  for (;;) {
    const found = await probe();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > end) throw new Error(`nothing after ${ms} ms: ${probe.toString()}`);
    await sleep(5);
  }
}

export interface LuaNginxOptions {
  readonly boot: readonly BootUpstream[];
  /** Upstream and server blocks; `PORT` stands for the port. */
  readonly http: string;
  readonly workers?: number;
  readonly dictSize?: string;
}

/** A real nginx with hand-written configuration around the snippets of the translator. */
export class LuaNginx {
  readonly directory: string;
  readonly socketPath: string;
  readonly port: number;
  readonly #options: LuaNginxOptions;
  #child: ChildProcess | undefined;

  private constructor(options: LuaNginxOptions, port: number) {
    this.#options = options;
    this.port = port;
    this.directory = mkdtempSync(join(tmpdir(), 'upsync-nginx-'));
    this.socketPath = join(this.directory, 'control.sock');
  }

  static async start(options: LuaNginxOptions): Promise<LuaNginx> {
    const nginx = new LuaNginx(options, await freePort());
    await nginx.launch();
    return nginx;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get masterPid(): number {
    return this.#child!.pid!;
  }

  /** Starts nginx, again after {@link kill}. */
  async launch(): Promise<void> {
    this.configure(this.#options.boot, this.#options.http);
    rmSync(this.socketPath, { force: true });
    const child = spawn('nginx', ['-p', this.directory, '-c', 'nginx.conf', '-e', this.#errorLog], {
      stdio: 'ignore',
    });
    this.#child = child;
    await until(() => {
      if (child.exitCode !== null) throw new Error(`nginx ended:\n${this.errors()}`);
      return existsSync(this.socketPath) && this.workerPids().length === (this.#options.workers ?? 2);
    });
  }

  /** Writes configuration and boot file; in force after {@link reload}. */
  configure(boot: readonly BootUpstream[], http: string): void {
    const bootFile = join(this.directory, 'boot.txt');
    const flags = {
      veiled: /error_page|proxy_cache/.test(http),
      sparesLog: !/_next_upstream|_request_buffering/.test(http),
    };
    writeFileSync(bootFile, encodeBoot({ upstreams: boot, ...flags }));
    const temp = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
      .map((name) => `${name}_temp_path ${this.directory}/${name};`)
      .join(' ');
    const preamble = httpPreamble({
      controlSocket: this.socketPath,
      ...(this.#options.dictSize && { dictSize: this.#options.dictSize }),
    });
    const init = initLua({ luaFile: compiledWorker(), bootFile });
    writeFileSync(
      join(this.directory, 'nginx.conf'),
      [
        'load_module /usr/lib/nginx/modules/ndk_http_module.so;',
        'load_module /usr/lib/nginx/modules/ngx_http_lua_module.so;',
        `user ${process.getuid?.() === 0 ? 'root' : 'nobody'}; daemon off; worker_processes ${this.#options.workers ?? 2};`,
        `pid ${this.directory}/nginx.pid; error_log ${this.#errorLog} notice;`,
        'events { worker_connections 1024; }',
        `http { access_log off; ${temp} ${preamble}`,
        `init_by_lua_block { ${init} } init_worker_by_lua_block { ${initWorkerLua()} }`,
        `log_by_lua_block { ${logLua()} }`,
        http.replaceAll('PORT', String(this.port)),
        '}',
      ].join('\n'),
    );
  }

  signal(name: NodeJS.Signals): void {
    this.#child?.kill(name);
  }

  /** HUP, and waits until none of the old workers accepts requests any more. */
  async reload(): Promise<void> {
    const before = new Set(this.workerPids());
    this.signal('SIGHUP');
    await until(() => {
      const now = this.workerPids();
      return now.length === (this.#options.workers ?? 2) && now.every((pid) => !before.has(pid));
    });
  }

  workerPids(): number[] {
    try {
      const children = readFileSync(`/proc/${this.masterPid}/task/${this.masterPid}/children`, 'utf8');
      return children.trim().split(' ').filter(Boolean).map(Number).sort();
    } catch {
      return [];
    }
  }

  /** The error log's text so far. */
  errors(): string {
    return existsSync(this.#errorLog) ? readFileSync(this.#errorLog, 'utf8') : '';
  }

  /** Ends nginx at once, as a power cut would, workers included. */
  async kill(): Promise<void> {
    const child = this.#child!;
    const pids = this.workerPids();
    const gone = child.exitCode === null ? new Promise((resolve) => child.once('exit', resolve)) : undefined;
    child.kill('SIGKILL');
    for (const pid of pids) process.kill(pid, 'SIGKILL');
    await gone;
    await until(() => pids.every((pid) => !existsSync(`/proc/${pid}`)));
  }

  async stop(): Promise<void> {
    const child = this.#child!;
    if (child.exitCode === null && child.signalCode === null) {
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      await gone;
    }
    rmSync(this.directory, { recursive: true, force: true });
  }

  get #errorLog(): string {
    return join(this.directory, 'error.log');
  }
}
