import { createConsulCatalogSource } from './consul-catalog.ts';
import { createConsulHealthSource } from './consul-health.ts';
import { createConsulKvSource } from './consul-kv.ts';
import { ConsulKvHub } from './consul-kv-hub.ts';
import { consulQuery } from './consul-query.ts';
import { EtcdSource } from './etcd.ts';
import { FileSource } from './file.ts';
import { RegistryHttp } from './http.ts';
import { groupKvUpstreams, type KvGroup, splitKvPath } from './kv-groups.ts';
import { RegistryAgent } from './registry-agent.ts';
import { parseRequestPath } from './request-path.ts';
import { SourceError } from './source-error.ts';
import type { Source, SourceOptions } from './source.ts';

/**
 * Opens one source. Nothing is asked before `lists()` is called. For several at once use `openSources`, which lets them share.
 * @param agent the connections to use, when other sources of the same registry share them.
 * @throws {SourceError} SOURCE_BAD_OPTIONS when the options ask for something that cannot be.
 */
export function openSource(options: SourceOptions, agent = new RegistryAgent(options.tls)): Source {
  switch (options.type) {
    case 'consul':
      return createConsulKvSource(options, openHttp(options, agent));
    case 'consul_services':
      return createConsulCatalogSource(options, openHttp(options, agent));
    case 'consul_health':
      return createConsulHealthSource(options, openHttp(options, agent));
    case 'etcd':
      refuseConsulOptions(options);
      return new EtcdSource(options, openHttp(options, agent));
    case 'file':
      refuseConsulOptions(options);
      return new FileSource({ path: options.path });
    default:
      throw new SourceError('SOURCE_BAD_OPTIONS', `there is no source of type ${String(options.type)}`);
  }
}

/** An option that would be passed over is a mistake somebody should hear of. */
function refuseConsulOptions(options: SourceOptions): void {
  const { type, dc, tags = [], filter, passing, consistency = 'default', cached, useWeights } = options;
  const given = {
    ...{ dc: dc !== undefined, tag: tags.length > 0, filter: filter !== undefined },
    ...{ passing: passing === true, cached: cached === true, weights: useWeights === true },
    [consistency]: consistency !== 'default',
  };
  for (const [name, isGiven] of Object.entries(given))
    if (isGiven)
      throw new SourceError('SOURCE_BAD_OPTIONS', `${name} cannot be used with upsync_type=${type}`);
}

function openHttp(options: SourceOptions, agent: RegistryAgent): RegistryHttp {
  const { addresses, tokenFile, tls } = options;
  const token = options.token ?? parseRequestPath(options.path).token;
  return new RegistryHttp({
    addresses,
    credentials: { token, tokenFile, tls },
    tokenHeader: options.type === 'etcd' ? 'authorization' : 'x-consul-token',
    agent,
  });
}

/**
 * Opens one source per entry, in the same order. Sources of one registry share its connections, and Consul KV upstreams under
 * one prefix share one long poll, whatever their number. Nothing is asked before `lists()` is called.
 * @throws {SourceError} SOURCE_BAD_OPTIONS when an entry asks for something that cannot be.
 */
export function openSources(all: readonly SourceOptions[]): Source[] {
  const agents = new Map<string, RegistryAgent>();
  const agentOf = ({ tls }: SourceOptions): RegistryAgent => {
    const key = JSON.stringify(tls ?? null);
    const agent = agents.get(key) ?? new RegistryAgent(tls);
    agents.set(key, agent);
    return agent;
  };
  const sources = new Map<SourceOptions, Source[]>();
  const add = (options: SourceOptions, source: Source): void => {
    sources.set(options, [...(sources.get(options) ?? []), source]);
  };
  for (const group of groupKvUpstreams(all.filter((options) => options.type === 'consul'))) {
    const [first] = group.members;
    if (group.members.length === 1) add(first!, openSource(first!, agentOf(first!)));
    else
      openHub(group, agentOf(first!)).forEach((source, at) => {
        add(group.members[at]!, source);
      });
  }
  for (const options of all)
    if (options.type !== 'consul') add(options, openSource(options, agentOf(options)));
  // The same object may stand in the list twice, so each place takes its own source.
  return all.map((options) => sources.get(options)!.shift()!);
}

function openHub({ members, shared }: KvGroup, agent: RegistryAgent): readonly Source[] {
  const hub = new ConsulKvHub(
    members.map((options) => ({
      prefix: splitKvPath(options).prefix,
      path: parseRequestPath(options.path).path,
    })),
    {
      http: openHttp(shared, agent),
      query: consulQuery(shared),
      intervalMs: shared.intervalMs,
      timeoutMs: shared.timeoutMs,
    },
  );
  return hub.sources;
}
