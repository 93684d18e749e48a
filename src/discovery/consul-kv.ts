import { ConsulListSource } from './consul-list-source.ts';
import { joinKvEntries, KvReplyReader } from './consul-kv-reply.ts';
import type { RegistryHttp } from './http.ts';
import type { Source, SourceOptions } from './source.ts';

/**
 * The servers under one prefix of Consul's KV store (`upsync_type=consul`). The prefix matches as Consul matches it: without
 * a slash at its end `/v1/kv/upstreams/test` also holds the keys of `upstreams/test2`, as with nginx-upsync-module.
 * @throws {SourceError} SOURCE_BAD_OPTIONS when the options do not fit.
 */
export function createConsulKvSource(options: SourceOptions, http: RegistryHttp): Source {
  const reader = new KvReplyReader(() => undefined);
  return new ConsulListSource(options, http, {
    kind: 'consul',
    // Consul's word for "no key under this prefix", which is a list as well: an empty one.
    alsoOk: [404],
    read: (reply) => {
      const { entries, stray } = reader.read(reply);
      return joinKvEntries(entries, stray);
    },
  });
}
