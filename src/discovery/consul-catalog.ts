import { ConsulListSource } from './consul-list-source.ts';
import { joinEntries, safeText } from './entry-address.ts';
import type { RegistryHttp, RegistryReply } from './http.ts';
import { type Fields, isFields, parseReplyArray, strayItems } from './reply-json.ts';
import { readServiceEntry } from './service-entry.ts';
import { SourceError } from './source-error.ts';
import type { Source, SourceList, SourceOptions } from './source.ts';

/**
 * The instances of a service in Consul's catalog, healthy or not (`upsync_type=consul_services`,
 * `/v1/catalog/service/<name>`).
 * @throws {SourceError} SOURCE_BAD_OPTIONS when the options do not fit.
 */
export function createConsulCatalogSource(options: SourceOptions, http: RegistryHttp): Source {
  return new ConsulListSource(options, http, {
    kind: 'consul_services',
    alsoOk: [],
    read: (reply) => readCatalog(reply, options.useWeights === true),
  });
}

/** @throws {SourceError} SOURCE_BAD_REPLY, or SOURCE_WRONG_TYPE when no entry is one of the catalog. */
export function readCatalog(reply: RegistryReply, useWeights: boolean): SourceList {
  const items = parseReplyArray(reply);
  const instances = items.filter(
    (item): item is Fields =>
      isFields(item) && (isPresent(item['ServicePort']) || isPresent(item['ServiceID'])),
  );
  if (instances.length === 0 && items.length > 0)
    throw new SourceError(
      'SOURCE_WRONG_TYPE',
      `${reply.url} sent no catalog entries: is the path /v1/catalog/service/…, as upsync_type=consul_services needs?`,
    );
  const { servers, rejected } = joinEntries(
    instances.map((item) => {
      const where = instanceName(item['ServiceID'], item['Node']);
      const weights = item['ServiceWeights'];
      const entry = readServiceEntry({
        where,
        address: item['ServiceAddress'],
        nodeAddress: item['Address'],
        port: item['ServicePort'],
        socketPath: item['ServiceSocketPath'],
        tags: item['ServiceTags'],
        weight: useWeights && isFields(weights) ? weights['Passing'] : undefined,
        down: false,
      });
      return { where, entry };
    }),
  );
  return { servers, rejected: [...strayItems(items.length - instances.length, reply), ...rejected] };
}

/** `web-1 on node-a`, for reports. */
export function instanceName(id: unknown, node: unknown): string {
  const name = typeof id === 'string' && id !== '' ? id : 'an instance without id';
  return safeText(typeof node === 'string' && node !== '' ? `${name} on ${node}` : name);
}

function isPresent(value: unknown): boolean {
  return value !== undefined && value !== null;
}
