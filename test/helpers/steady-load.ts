import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'undici';

/** What went wrong, and how much was asked. */
export interface LoadReport {
  readonly requests: number;
  readonly failures: readonly string[];
  /** Connections that were opened: one per client as long as none was closed. */
  readonly connections: number;
}

/** Clients that keep one connection each and ask over and over, at a pace a busy machine can hold. */
export class SteadyLoad {
  readonly #clients: Client[];
  readonly #failures: string[] = [];
  readonly #url: string;
  readonly #pauseMs: number;
  #requests = 0;
  #connections = 0;
  #paused = false;
  #stopped = false;
  #busy = 0;
  readonly #loops: Promise<void>[];

  constructor(url: string, { clients = 8, pauseMs = 5 } = {}) {
    this.#url = url;
    this.#pauseMs = pauseMs;
    this.#clients = Array.from({ length: clients }, () => openClient(url));
    for (const client of this.#clients) client.on('connect', () => this.#connections++);
    this.#loops = this.#clients.map((client) => this.#loop(client));
  }

  /** Resolves when no request is under way any more; connections stay open. */
  async pause(): Promise<void> {
    this.#paused = true;
    while (this.#busy > 0) await delay(2);
  }

  resume(): void {
    this.#paused = false;
  }

  get requests(): number {
    return this.#requests;
  }

  async stop(): Promise<LoadReport> {
    this.#stopped = true;
    await Promise.all(this.#loops);
    await Promise.all(this.#clients.map((client) => client.close()));
    return { requests: this.#requests, failures: this.#failures, connections: this.#connections };
  }

  async #loop(client: Client): Promise<void> {
    while (!this.#stopped) {
      if (!this.#paused) {
        this.#busy++;
        try {
          const { statusCode, body } = await client.request({
            path: new URL(this.#url).pathname,
            method: 'GET',
          });
          await body.text();
          if (statusCode !== 200) this.#failures.push(`status ${statusCode}`);
        } catch (error) {
          this.#failures.push(String(error));
        }
        this.#requests++;
        this.#busy--;
      }
      await delay(this.#pauseMs);
    }
  }
}

/** A client whose only connection stays open between requests. */
export function openClient(url: string): Client {
  return new Client(new URL(url).origin, {
    keepAliveTimeout: 600_000,
    keepAliveMaxTimeout: 600_000,
    pipelining: 1,
  });
}

/** wrk, which asks as fast as it is answered, and says how many answers were no good; undefined where it is missing. */
export function startWrk(url: string, seconds: number): Wrk | undefined {
  return spawnSync('wrk', ['-v']).error === undefined ? new Wrk(url, seconds) : undefined;
}

class Wrk {
  readonly #child: ChildProcess;
  #output = '';

  constructor(url: string, seconds: number) {
    const args = ['-t1', '-c8', `-d${seconds}s`, '--timeout', '60s', url];
    this.#child = spawn('wrk', args, { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#child.stdout!.setEncoding('utf8').on('data', (text: string) => (this.#output += text));
  }

  pause(): void {
    this.#child.kill('SIGSTOP');
  }

  resume(): void {
    this.#child.kill('SIGCONT');
  }

  /** Ends it and gives its own words. */
  async stop(): Promise<string> {
    if (this.#child.exitCode === null) {
      const gone = once(this.#child, 'exit');
      this.#child.kill('SIGCONT');
      this.#child.kill('SIGINT');
      await gone;
    }
    return this.#output;
  }
}
