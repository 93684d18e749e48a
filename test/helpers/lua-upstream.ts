import type { Method } from '../../src/balancer/balancer.ts';
import { SILENT } from '../../src/upstream/logger.ts';
import { createServer, type Server } from '../../src/upstream/server.ts';
import type { Snapshot } from '../../src/upstream/snapshot.ts';
import type { BootUpstream } from '../../src/upsync/nginx/boot.ts';
import { balancerBlock, showBlock } from '../../src/upsync/nginx/snippets.ts';
import { createNginxWorkersTarget, type NginxWorkersTarget } from '../../src/upsync/targets/nginx-workers.ts';
import { LuaNginx, type LuaNginxOptions } from './lua-nginx.ts';

/** A boot entry with nginx's exact sequence. */
export function bootUpstream(
  name: string,
  servers: readonly Server[],
  method: Method = 'round_robin',
  seed = 0,
): BootUpstream {
  return { kind: 'upsync', name, balancer: { method, seed, loadFactor: 1.25 }, servers };
}

export interface UpstreamOptions extends Partial<Omit<LuaNginxOptions, 'boot' | 'http'>> {
  readonly servers?: readonly Server[];
  readonly method?: Method;
  readonly hashKey?: string;
  /** Directives inside the upstream block. */
  readonly upstream?: string;
  /** Directives inside the location that proxies. */
  readonly location?: string;
  /** Words after the port of `listen`: `reuseport` spreads connections over the workers. */
  readonly listen?: string;
  /** Further locations. */
  readonly server?: string;
  /** Directives of the `http` block itself. */
  readonly http?: string;
}

/** An nginx that proxies `/` to one upstream, `test`, which the target feeds; `/show` is `upstream_show`. */
export class ProxyFixture {
  readonly nginx: LuaNginx;
  readonly target: NginxWorkersTarget;
  #version = 0;

  private constructor(nginx: LuaNginx) {
    this.nginx = nginx;
    this.target = createNginxWorkersTarget({ socketPath: nginx.socketPath, logger: SILENT });
  }

  static async start(options: UpstreamOptions = {}): Promise<ProxyFixture> {
    const boot = bootUpstream('test', options.servers ?? [], options.method);
    const nginx = await LuaNginx.start({
      boot: [{ ...boot, ...(options.hashKey !== undefined && { hashKey: options.hashKey }) }],
      http: proxyHttp(options),
      workers: options.workers ?? 1,
      ...(options.dictSize !== undefined && { dictSize: options.dictSize }),
    });
    return new ProxyFixture(nginx);
  }

  snapshot(servers: readonly Server[], upstream = 'test'): Snapshot {
    this.#version += 1;
    return { upstream, version: this.#version, servers, origin: { kind: 'static', source: 'test', at: 0 } };
  }

  /** Makes this the list, in every worker. */
  async put(...servers: readonly (Server | string)[]): Promise<void> {
    const list = servers.map((server) => (typeof server === 'string' ? createServer(server) : server));
    await this.target.apply(this.snapshot(list));
  }

  /** Status and body of one request on a connection of its own. */
  async get(path = '/'): Promise<{ readonly status: number; readonly body: string }> {
    const response = await fetch(this.nginx.url + path, { headers: { connection: 'close' } });
    return { status: response.status, body: await response.text() };
  }

  /** Bodies of requests sent one after the other. */
  async bodies(count: number, path = '/'): Promise<string[]> {
    const bodies: string[] = [];
    for (let i = 0; i < count; i++) bodies.push((await this.get(path)).body);
    return bodies;
  }

  async stop(): Promise<void> {
    await this.target.close();
    await this.nginx.stop();
  }
}

/** The http block's part for {@link ProxyFixture}. */
export function proxyHttp(options: UpstreamOptions = {}): string {
  return [
    options.http ?? '',
    `upstream test { ${balancerBlock('test')} ${options.upstream ?? ''} }`,
    `server { listen 127.0.0.1:PORT ${options.listen ?? ''};`,
    `location / { ${options.location ?? ''} proxy_pass http://test; }`,
    `location = /show { ${showBlock()} }`,
    options.server ?? '',
    '}',
  ].join('\n');
}
