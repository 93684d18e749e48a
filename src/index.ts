// The domain: servers, lists, snapshots, errors.
export { formatAddress, parseAddress, type Address } from './upstream/address.ts';
export { readJsonAttributes, type ReadAttributes } from './upstream/attributes-json.ts';
export { readTagAttributes } from './upstream/attributes-tags.ts';
export { diffServers, sameServers, type ServersDiff } from './upstream/diff.ts';
export { formatDuration, parseDuration } from './upstream/duration.ts';
export { type RejectedEntry, type Result, UpsyncError } from './upstream/errors.ts';
export { type Logger, SILENT } from './upstream/logger.ts';
export {
  formatServerLine,
  NGINX_SERVER_DEFAULTS,
  parseServerLine,
  parseServerLines,
  type ServerAttributes,
} from './upstream/server-line.ts';
export { createServer, sameServer, type Server, SERVER_DEFAULTS } from './upstream/server.ts';
export { type Origin, type Snapshot } from './upstream/snapshot.ts';

// Balancing on its own.
export {
  type Balancer,
  type BalancerOptions,
  type Method,
  type Peer,
  type PickRequest,
} from './balancer/balancer.ts';
export { createBalancer } from './balancer/create.ts';

// Registries: reading, registering, and one to have inside this process.
export {
  createEmbeddedRegistry,
  type EmbeddedRegistry,
  type EmbeddedRegistryOptions,
} from './discovery/embedded/registry.ts';
export { openSource, openSources } from './discovery/open.ts';
export { Registrar, type RegistrarOptions } from './discovery/registrar.ts';
export { SourceError, type SourceErrorCode } from './discovery/source-error.ts';
export {
  type Consistency,
  type RegistryTls,
  type Source,
  type SourceList,
  type SourceOptions,
  type SourceType,
} from './discovery/source.ts';

// Upstreams: following them, and putting their lists to work.
export {
  applyChannel,
  type ApplyMessage,
  failureChannel as syncFailureChannel,
  type FailureMessage,
  listChannel as syncListChannel,
  type ListMessage,
} from './upsync/channels.ts';
export { ConfigError, ConfigErrors, type Place } from './upsync/config-error.ts';
export { type DeliveryStatus } from './upsync/deliver.ts';
export { type DirectiveContext, parseUpsyncDirective, type UpsyncDirective } from './upsync/directives.ts';
export {
  type AttemptFailureMessage,
  type DispatcherListMessage,
  failureChannel,
  listChannel,
  pickChannel,
  type PickMessage,
} from './upsync/dispatcher/channels.ts';
export { type NextUpstreamCondition } from './upsync/dispatcher/next-upstream.ts';
export { type PoolOptions } from './upsync/dispatcher/server-pools.ts';
export { type DispatcherOptions, UpsyncDispatcher } from './upsync/dispatcher/upsync-dispatcher.ts';
export { type DumpContent, formatDump, parseDump, readDump } from './upsync/dump.ts';
export { follow as watch, type FollowOptions as WatchOptions } from './upsync/follow.ts';
export { type GuardCode, type GuardOptions } from './upsync/guard.ts';
export { type NameAnswer, type ResolveName } from './upsync/resolve-names.ts';
export { formatAllUpstreams, formatUpstream, shown, type ShownUpstream } from './upsync/show.ts';
export { createSync, type Sync, type SyncOptions } from './upsync/sync.ts';
export { type ApplyReport, type Target, type WorkerReport } from './upsync/target.ts';
export { includeText } from './upsync/targets/include-text.ts';
export { MemoryTarget } from './upsync/targets/memory.ts';
export {
  createNginxWorkersTarget,
  type NginxWorkersOptions,
  type NginxWorkersTarget,
} from './upsync/targets/nginx-workers.ts';
export { type UpstreamPlan } from './upsync/upstream-plan.ts';
export { type UpstreamStatus } from './upsync/upstream-status.ts';
export { createUpstream, type Upstream, type UpstreamOptions } from './upsync/upstream.ts';

// Names across data centres. Commands, Motan's registry format and the rest are in `upsync/motan`.
export { consulSources, type ConsulOptions, type ConsulSources } from './motan/consul-sources.ts';
export {
  createMotanRegistry,
  type MotanRegistry,
  type MotanRegistryOptions,
} from './motan/motan-registry.ts';
export { formatName, parseName, type ResourceName } from './motan/name.ts';
export { type Resolution, type Resolver, type Subscription } from './motan/resolution.ts';
export { createResolver, type ResolverOptions } from './motan/resolver.ts';
export {
  createTopology,
  type Idc,
  type IdcOptions,
  type NameMapping,
  type Topology,
  type TopologyOptions,
} from './motan/topology.ts';
