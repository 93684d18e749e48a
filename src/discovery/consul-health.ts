import { instanceName } from './consul-catalog.ts';
import { ConsulListSource } from './consul-list-source.ts';
import { joinEntries } from './entry-address.ts';
import type { RegistryHttp, RegistryReply } from './http.ts';
import { type Fields, isFields, parseReplyArray, strayItems } from './reply-json.ts';
import { readServiceEntry } from './service-entry.ts';
import { SourceError } from './source-error.ts';
import type { Source, SourceList, SourceOptions } from './source.ts';

/**
 * The instances of a service with their health (`upsync_type=consul_health`, `/v1/health/service/<name>`): an instance with
 * a check that does not pass stays in the list and is `down`.
 * @throws {SourceError} SOURCE_BAD_OPTIONS when the options do not fit.
 */
export function createConsulHealthSource(options: SourceOptions, http: RegistryHttp): Source {
  return new ConsulListSource(options, http, {
    kind: 'consul_health',
    alsoOk: [],
    read: (reply) => readHealth(reply, options.useWeights === true),
  });
}

/** @throws {SourceError} SOURCE_BAD_REPLY, or SOURCE_WRONG_TYPE when no entry is one of the health endpoint. */
export function readHealth(reply: RegistryReply, useWeights: boolean): SourceList {
  const items = parseReplyArray(reply);
  const instances = items.filter((item): item is Fields => isFields(item) && isFields(item['Service']));
  if (instances.length === 0 && items.length > 0)
    throw new SourceError(
      'SOURCE_WRONG_TYPE',
      `${reply.url} sent no health entries: is the path /v1/health/service/…, as upsync_type=consul_health needs?`,
    );
  const { servers, rejected } = joinEntries(
    instances.map((item) => {
      const service = item['Service'] as Fields;
      const node = isFields(item['Node']) ? item['Node'] : {};
      const where = instanceName(service['ID'], node['Node']);
      const health = worstState(item['Checks']);
      const weights = useWeights && isFields(service['Weights']) ? service['Weights'] : undefined;
      // With Consul's own weights a warning has its own share of the traffic, as in Consul's DNS; without them, and in
      // nginx-upsync-module, every state but passing means down.
      const warned = weights !== undefined && health === 'warning';
      const entry = readServiceEntry({
        where,
        address: service['Address'],
        nodeAddress: node['Address'],
        port: service['Port'],
        socketPath: service['SocketPath'],
        tags: service['Tags'],
        weight: weights?.[warned ? 'Warning' : 'Passing'],
        down: health !== 'passing' && !warned,
      });
      return { where, entry };
    }),
  );
  return { servers, rejected: [...strayItems(items.length - instances.length, reply), ...rejected] };
}

/** The worst of an instance's checks; no checks at all is passing. Anything unknown counts as critical. */
function worstState(checks: unknown): 'passing' | 'warning' | 'critical' {
  let worst: 'passing' | 'warning' = 'passing';
  for (const check of Array.isArray(checks) ? (checks as unknown[]) : []) {
    const status = isFields(check) ? check['Status'] : undefined;
    if (typeof status === 'string' && status.startsWith('passing')) continue;
    if (status !== 'warning') return 'critical';
    worst = 'warning';
  }
  return worst;
}
