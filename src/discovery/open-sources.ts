import { ConsulKvHub } from './consul-kv-hub.ts';
import { consulQuery } from './consul-query.ts';
import { groupKvUpstreams, type KvGroup, splitKvPath } from './kv-groups.ts';
import { openHttp, openSource } from './open-source.ts';
import { RegistryAgent } from './registry-agent.ts';
import { parseRequestPath } from './request-path.ts';
import { type Source, type SourceOptions } from './source.ts';

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
