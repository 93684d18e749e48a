import { RegistryAgent } from '../discovery/registry-agent.ts';
import { RegistryHttp } from '../discovery/http.ts';
import type { RegistryTls } from '../discovery/source.ts';
import { createConsulCommands, createConsulProviders } from './consul-providers.ts';
import type { CommandQuery } from './watched-name.ts';
import type { ProviderSource, ValueSource } from './provider.ts';
import type { RegistryQuery } from './topology.ts';

export interface ConsulOptions {
  /** Base URLs of the local agent, tried in order. @default ['http://127.0.0.1:8500'] */
  readonly addresses?: readonly string[];
  readonly token?: string | undefined;
  readonly tokenFile?: string | undefined;
  readonly tls?: RegistryTls | undefined;
  /** Polls that bring nothing new come no faster than this on average. Milliseconds. @default 1000 */
  readonly intervalMs?: number;
  /** Longest one poll may take. Milliseconds. @default 360000 */
  readonly timeoutMs?: number;
}

/** What a resolver and a Motan registry ask of Consul, over shared connections. */
export interface ConsulSources {
  /** HTTP to the local agent, or to another registry by its base URL. */
  http(registry?: string): RegistryHttp;
  readonly providers: (query: RegistryQuery) => ProviderSource;
  readonly commands: (query: CommandQuery) => ValueSource<string>;
}

export const CONSUL_ADDRESS = 'http://127.0.0.1:8500';
const SELF_DEADLINE_MS = 5000;

/** Opens Consul as the registry of names and groups. Nothing is asked yet. */
export function consulSources(options: ConsulOptions = {}): ConsulSources {
  const { token, tokenFile, tls, intervalMs, timeoutMs } = options;
  const agent = new RegistryAgent(tls);
  const opened = new Map<string, RegistryHttp>();
  const http = (registry?: string): RegistryHttp => {
    const addresses = registry === undefined ? (options.addresses ?? [CONSUL_ADDRESS]) : [registry];
    const key = addresses.join(' ');
    const known =
      opened.get(key) ??
      new RegistryHttp({
        addresses,
        credentials: { token, tokenFile, tls },
        tokenHeader: 'x-consul-token',
        agent,
      });
    opened.set(key, known);
    return known;
  };
  const polling = (registry?: string) => ({
    http: http(registry),
    ...(intervalMs === undefined ? {} : { intervalMs }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  });
  return {
    http,
    providers: (query) => createConsulProviders(query, polling(query.registry)),
    commands: ({ group, registry }) => createConsulCommands(group, polling(registry)),
  };
}

/**
 * The datacenter the local Consul agent belongs to; undefined when it cannot be asked or does not say.
 */
export async function consulDatacenter(
  sources: ConsulSources,
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    const reply = await sources
      .http()
      .request({ path: '/v1/agent/self', deadlineMs: SELF_DEADLINE_MS, signal });
    const self =
      reply.status === 200 ? (JSON.parse(reply.text) as { Config?: { Datacenter?: unknown } }) : {};
    return typeof self.Config?.Datacenter === 'string' ? self.Config.Datacenter.toLowerCase() : undefined;
  } catch {
    // Not knowing is an answer here: the caller says what it then needs.
    return undefined;
  }
}
