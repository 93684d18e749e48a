import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { freePort } from './ports.ts';

/** Path of the etcd on this machine, or undefined. */
export function findEtcd(): string | undefined {
  const folders = (process.env.PATH ?? '').split(delimiter);
  return folders.map((folder) => join(folder, 'etcd')).find((path) => existsSync(path));
}

/** A real etcd with the v2 keys API on, for tests. */
export class RunningEtcd {
  readonly url: string;
  readonly #child: ChildProcess;
  readonly #folder: string;

  private constructor(url: string, child: ChildProcess, folder: string) {
    this.url = url;
    this.#child = child;
    this.#folder = folder;
  }

  static async start(binary: string): Promise<RunningEtcd> {
    const folder = await mkdtemp(join(tmpdir(), 'upsync-etcd-'));
    const [client, peer] = await Promise.all([freePort(), freePort()]);
    const [url, peerUrl] = [`http://127.0.0.1:${client}`, `http://127.0.0.1:${peer}`];
    const child = spawn(
      binary,
      [
        ...['--enable-v2', '--data-dir', join(folder, 'data'), '--log-level', 'error'],
        ...['--listen-client-urls', url, '--advertise-client-urls', url, '--listen-peer-urls', peerUrl],
        ...['--initial-advertise-peer-urls', peerUrl, '--initial-cluster', `default=${peerUrl}`],
      ],
      { stdio: 'ignore' },
    );
    const etcd = new RunningEtcd(url, child, folder);
    const until = Date.now() + 30_000;
    while (!(await etcd.#isHealthy())) {
      if (Date.now() > until || child.exitCode !== null) {
        await etcd.stop();
        throw new Error('etcd did not start');
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return etcd;
  }

  /** Sets a key of the v2 API (a form body), or deletes it. */
  async v2(key: string, value: string | undefined, extra = ''): Promise<void> {
    const url = `${this.url}/v2/keys${key}`;
    const response =
      value === undefined
        ? await fetch(`${url}?recursive=true`, { method: 'DELETE' })
        : await fetch(url, {
            method: 'PUT',
            body: new URLSearchParams(`value=${encodeURIComponent(value)}${extra}`),
          });
    if (!response.ok && response.status !== 404) throw new Error(`etcd answered ${response.status}`);
  }

  /** Calls the v3 gateway; `/kv/put` with `{key, value}` in base64. */
  async v3(path: string, body: object): Promise<unknown> {
    const response = await fetch(`${this.url}/v3${path}`, { method: 'POST', body: JSON.stringify(body) });
    if (!response.ok) throw new Error(`etcd answered ${response.status} to ${path}`);
    return response.json();
  }

  async put(key: string, value: string): Promise<void> {
    await this.v3('/kv/put', { key: base64(key), value: base64(value) });
  }

  async delete(key: string): Promise<void> {
    await this.v3('/kv/deleterange', { key: base64(key) });
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const gone = once(this.#child, 'exit');
      this.#child.kill('SIGKILL');
      await gone;
    }
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #isHealthy(): Promise<boolean> {
    try {
      const response = await fetch(`${this.url}/health`);
      return response.ok && (await response.text()).includes('true');
    } catch {
      return false;
    }
  }
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}
