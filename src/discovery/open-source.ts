import { createConsulCatalogSource } from './consul-catalog.ts';
import { createConsulHealthSource } from './consul-health.ts';
import { createConsulKvSource } from './consul-kv.ts';
import { EtcdSource } from './etcd.ts';
import { FileSource } from './file.ts';
import { RegistryHttp } from './http.ts';
import { RegistryAgent } from './registry-agent.ts';
import { parseRequestPath } from './request-path.ts';
import { SourceError } from './source-error.ts';
import { type Source, type SourceOptions } from './source.ts';

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
      return new EtcdSource(options, openHttp(options, agent));
    case 'file':
      return new FileSource({ path: options.path });
    default:
      throw new SourceError('SOURCE_BAD_OPTIONS', `there is no source of type ${String(options.type)}`);
  }
}

/**
 * The HTTP side of a source.
 * @throws {SourceError} SOURCE_BAD_OPTIONS when it has no usable address.
 */
export function openHttp(options: SourceOptions, agent: RegistryAgent): RegistryHttp {
  const { addresses, tokenFile, tls } = options;
  const token = options.token ?? parseRequestPath(options.path).token;
  return new RegistryHttp({
    addresses,
    credentials: { token, tokenFile, tls },
    tokenHeader: options.type === 'etcd' ? 'authorization' : 'x-consul-token',
    agent,
  });
}
