export {
  chooseLocalIdc,
  formatName,
  IDC_PLACEHOLDER,
  isIdcLabel,
  parseName,
  type ResourceName,
} from './name.ts';
export {
  consulServiceMapping,
  createTopology,
  type Idc,
  type IdcOptions,
  idcOrder,
  motanGroupMapping,
  type NameMapping,
  type RegistryQuery,
  templateMapping,
  type Topology,
  type TopologyOptions,
} from './topology.ts';
export {
  type Health,
  isHealthy,
  type Provider,
  type ProviderList,
  type ProviderSource,
  type ValueSource,
} from './provider.ts';
export {
  type NameReader,
  type Resolution,
  type ResolutionReason,
  type ResolutionState,
  type ResolvedIdc,
  type ResolvedServer,
  type Resolver,
  type Subscription,
  type TrafficPlan,
} from './resolution.ts';
export { createResolver, RESOLVER_DEFAULTS, type ResolverOptions } from './resolver.ts';
export { consulDatacenter, type ConsulOptions, type ConsulSources, consulSources } from './consul-sources.ts';
export { type CommandQuery } from './watched-name.ts';
export { HOLD_DEFAULTS, type HoldOptions } from './members.ts';
export {
  levelHealth,
  type Level,
  planLoads,
  type Spill,
  spill,
  SPILL_DEFAULTS,
  type SpillOptions,
} from './spill.ts';
export { connectMs, PROBE_DEFAULTS, type ProbeOptions, type ProbeServer } from './probe.ts';
export { type MeasureRoundTrip, measureByConnecting } from './round-trip.ts';
export {
  type NameSnapshot,
  readSnapshot,
  type SnapshotPlace,
  snapshotPath,
  writeSnapshot,
} from './snapshot-file.ts';
export { findLocalIp } from './local-ip.ts';
export { latestChanges } from './latest.ts';
export { readOnce } from './read-once.ts';
export {
  canServe,
  createMotanUrl,
  formatMotanUrl,
  formatUrlTag,
  MOTAN_DEFAULTS,
  motanParameter,
  type MotanUrl,
  parseMotanUrl,
  readUrlTag,
  withParameters,
} from './url.ts';
export { decodeForm, encodeForm } from './form-encoding.ts';
export {
  checkIdOf,
  commandKeyOf,
  type ConsulServiceEntry,
  groupOf,
  MOTAN_TTL_SECONDS,
  readProviderUrl,
  type RegistrationBody,
  registrationBody,
  serviceIdOf,
  serviceNameOf,
} from './service.ts';
export {
  createMotanProviders,
  type MotanProviders,
  type MotanProvidersOptions,
  type ProviderStatus,
} from './heartbeats.ts';
export { createMotanRegistry, type MotanRegistry, type MotanRegistryOptions } from './motan-registry.ts';
export { type ClientCommand, type CommandList, parseCommands } from './commands/command.ts';
export { clearCommand, readCommand, type StoredCommand, writeCommand } from './commands/command-store.ts';
export {
  type CommandInput,
  evaluateCommands,
  type EvaluateInput,
  type Evaluation,
  type GroupPlan,
  type PlannedGroup,
  planGroups,
} from './commands/evaluate.ts';
export { compilePattern, matchPattern, type PathMatcher } from './commands/pattern.ts';
export { type CommandPreview, previewCommand, type PreviewInput } from './commands/preview.ts';
export { type LivePreviewInput, previewLiveCommand } from './commands/preview-live.ts';
export { type AddressTest, parseRouteRule, type RouteRule } from './commands/route-rule.ts';
export {
  createDnsServer,
  DNS_DEFAULTS,
  type DnsServer,
  type DnsServerOptions,
  type DnsStats,
} from './dns/server.ts';
export { chooseServer, RecentFailures, type ResourceRole, standby } from './connect/choose.ts';
export { connectTo, type ConnectOptions } from './connect/connect.ts';
export { type ClusterLookup, clusterLookup, type ClusterLookupOptions } from './connect/cluster-lookup.ts';
export {
  type FollowableCluster,
  followCluster,
  type FollowClusterOptions,
} from './connect/follow-cluster.ts';
export { createLookup, type LookupOptions } from './connect/lookup.ts';
export {
  clusterNodes,
  redisConnector,
  type RedisConnectorClass,
  type RedisConnectorOptions,
} from './redis-connector.ts';
export { activePlan, formatUpcoming, type Occurrence, type Segment, upcoming } from './schedule/active.ts';
export { checkPlan, parsePlan, type ScheduledPlan } from './schedule/plan.ts';
export {
  formatStatus,
  type Schedule,
  type ScheduleOptions,
  type ScheduleStatus,
  startSchedule,
} from './schedule/schedule.ts';
export {
  type ConfigService,
  type ConfigServiceOptions,
  createConfigService,
} from './config-service/server.ts';
