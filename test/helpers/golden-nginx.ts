import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import {
  createServer as createHttpServer,
  request,
  type Server as HttpServer,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Server } from '../../src/upstream/server.ts';

/** A static upstream of a stock nginx: its name, its method's directive ('' for round robin) and its list. */
export interface GoldenUpstream {
  readonly name: string;
  readonly directive: string;
  readonly servers: readonly Server[];
}

/** What nginx did with one request: the servers it tried in order, then the upstream's name if it had no other. */
export interface GoldenAnswer {
  readonly tried: string[];
  readonly status: number;
}

export interface GoldenRequest {
  readonly upstream: string;
  readonly key?: string;
  /** The client's address. */
  readonly client?: string;
  /** Addresses that drop this request. */
  readonly failing?: readonly string[];
}

/** A held request: where it is, and how to let it end. */
export interface HeldRequest {
  readonly release: () => Promise<GoldenAnswer>;
}

/** Backends on loopback that answer, drop or hold a request as its headers say. */
export class GoldenBackends {
  readonly addresses: string[] = [];
  readonly #servers: HttpServer[] = [];
  readonly #held = new Map<string, (response: ServerResponse) => void>();

  static async start(count: number, directory: string): Promise<GoldenBackends> {
    const backends = new GoldenBackends();
    for (let i = 0; i < count; i++) {
      const server = createHttpServer((incoming, response) => {
        const address = backends.addresses[i]!;
        const failing = String(incoming.headers['x-failing'] ?? '').split(',');
        const hold = incoming.headers['x-hold'];
        if (failing.includes(address)) incoming.socket.destroy();
        else if (typeof hold === 'string') backends.#held.get(hold)!(response);
        else response.end('ok');
      });
      backends.#servers.push(server);
      if (i === 0) {
        const path = join(directory, 'backend.sock');
        await new Promise<void>((resolve) => server.listen(path, resolve));
        backends.addresses.push(`unix:${path}`);
      } else {
        const host = i % 7 === 1 ? '::1' : `127.0.0.${1 + (i % 50)}`;
        await new Promise<void>((resolve) => server.listen(0, host, resolve));
        const { port } = server.address() as AddressInfo;
        backends.addresses.push(host === '::1' ? `[::1]:${port}` : `${host}:${port}`);
      }
    }
    return backends;
  }

  /** Resolves with the response to finish when the request marked `id` arrives. */
  arrival(id: string): Promise<ServerResponse> {
    return new Promise((resolve) => this.#held.set(id, resolve));
  }

  async stop(): Promise<void> {
    for (const server of this.#servers) {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  }
}

/** A stock nginx with one worker and static upstreams, reached through a unix socket. */
export class GoldenNginx {
  readonly #process: ChildProcess;
  readonly #directory: string;
  readonly #backends: GoldenBackends;
  #holds = 0;

  private constructor(process: ChildProcess, directory: string, backends: GoldenBackends) {
    this.#process = process;
    this.#directory = directory;
    this.#backends = backends;
  }

  /** `upstreams` gets the backends' addresses, so that its lists can use them. */
  static async start(
    backendCount: number,
    upstreams: (addresses: readonly string[]) => readonly GoldenUpstream[],
  ): Promise<GoldenNginx> {
    const directory = mkdtempSync(join(tmpdir(), 'upsync-golden-'));
    const backends = await GoldenBackends.start(backendCount, directory);
    const socket = join(directory, 'front.sock');
    const log = join(directory, 'error.log');
    writeFileSync(join(directory, 'nginx.conf'), configuration(upstreams(backends.addresses), socket));
    const nginx = spawn('nginx', ['-p', directory, '-c', 'nginx.conf', '-e', log], { stdio: 'ignore' });
    const golden = new GoldenNginx(nginx, directory, backends);
    for (let waited = 0; !existsSync(socket); waited += 10) {
      if (nginx.exitCode !== null || waited > 10_000) {
        const text = existsSync(log) ? readFileSync(log, 'utf8') : '';
        await golden.stop();
        throw new Error(`nginx does not start: ${text}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    return golden;
  }

  get addresses(): readonly string[] {
    return this.#backends.addresses;
  }

  send(wanted: GoldenRequest): Promise<GoldenAnswer> {
    return this.#send(wanted, {});
  }

  /** Sends a request that stays at its server until released; resolves when it is there. */
  async hold(wanted: GoldenRequest): Promise<HeldRequest> {
    this.#holds += 1;
    const id = String(this.#holds);
    const arrival = this.#backends.arrival(id);
    const answer = this.#send(wanted, { 'x-hold': id });
    const response = await Promise.race([arrival, answer.then(() => undefined)]);
    return {
      release: () => {
        response?.end('ok');
        return answer;
      },
    };
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode === null) {
      const gone = new Promise((resolve) => this.#process.once('exit', resolve));
      this.#process.kill('SIGTERM');
      await gone;
    }
    await this.#backends.stop();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  #send(wanted: GoldenRequest, extra: Record<string, string>): Promise<GoldenAnswer> {
    const headers: Record<string, string> = { ...extra };
    if (wanted.key !== undefined) headers['x-key'] = wanted.key;
    if (wanted.client !== undefined) headers['x-client'] = wanted.client;
    if (wanted.failing !== undefined) headers['x-failing'] = wanted.failing.join(',');
    return new Promise((resolve, reject) => {
      const socketPath = join(this.#directory, 'front.sock');
      const outgoing = request({ socketPath, path: `/${wanted.upstream}`, headers }, (response) => {
        response.resume();
        response.on('end', () => {
          const tried = String(response.headers['x-tried']).split(/, /);
          resolve({ tried, status: response.statusCode! });
        });
      });
      outgoing.on('error', reject);
      outgoing.end();
    });
  }
}

function configuration(upstreams: readonly GoldenUpstream[], socket: string): string {
  const blocks = upstreams.map(({ name, directive, servers }) => {
    const lines = servers.map((server) => `    server ${serverLine(server)};`);
    return `  upstream ${name} {\n    ${directive}\n${lines.join('\n')}\n  }`;
  });
  return `daemon off;
master_process off;
pid nginx.pid;
error_log error.log warn;
events { worker_connections 512; }
http {
  access_log off;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  set_real_ip_from unix:;
  real_ip_header X-Client;
${blocks.join('\n')}
  server {
    listen unix:${socket};
    add_header X-Tried $upstream_addr always;
${upstreams.map(({ name }) => `    location /${name} { proxy_pass http://${name}; }`).join('\n')}
  }
}
`;
}

function serverLine(server: Server): string {
  const parts = [
    server.address,
    `weight=${server.weight}`,
    `max_fails=${server.maxFails}`,
    `fail_timeout=${server.failTimeoutMs / 1000}s`,
  ];
  if (server.maxConns > 0) parts.push(`max_conns=${server.maxConns}`);
  if (server.down) parts.push('down');
  if (server.backup) parts.push('backup');
  return parts.join(' ');
}
