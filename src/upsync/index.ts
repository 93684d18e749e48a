export {
  type Balancer,
  type BalancerOptions,
  type Method,
  type Peer,
  type PickRequest,
} from '../balancer/balancer.ts';
export { createBalancer } from '../balancer/create.ts';
export { type RejectedEntry, UpsyncError } from '../upstream/errors.ts';
export { type Logger } from '../upstream/logger.ts';
export {
  formatServerLine,
  NGINX_SERVER_DEFAULTS,
  parseServerLine,
  parseServerLines,
} from '../upstream/server-line.ts';
export { createServer, type Server } from '../upstream/server.ts';
export { type Origin, type Snapshot } from '../upstream/snapshot.ts';
export {
  applyChannel,
  type ApplyMessage,
  failureChannel as syncFailureChannel,
  type FailureMessage,
  listChannel as syncListChannel,
  type ListMessage,
} from './channels.ts';
export { ConfigError, ConfigErrors, type Place } from './config-error.ts';
export { type DeliveryStatus } from './deliver.ts';
export { type DirectiveContext, parseUpsyncDirective, type UpsyncDirective } from './directives.ts';
export {
  type AttemptFailureMessage,
  type DispatcherListMessage,
  failureChannel,
  listChannel,
  pickChannel,
  type PickMessage,
} from './dispatcher/channels.ts';
export { type NextUpstreamCondition } from './dispatcher/next-upstream.ts';
export { type PoolOptions } from './dispatcher/server-pools.ts';
export { type DispatcherOptions, UpsyncDispatcher } from './dispatcher/upsync-dispatcher.ts';
export { type DumpContent, formatDump, parseDump, readDump, writeDump } from './dump.ts';
export { follow as watch, type FollowOptions as WatchOptions } from './follow.ts';
export { type GuardCode, type GuardOptions } from './guard.ts';
export { type NameAnswer, type ResolveName } from './resolve-names.ts';
export { formatAllUpstreams, formatUpstream, shown, type ShownUpstream } from './show.ts';
export { createSync, type Sync, type SyncOptions } from './sync.ts';
export { type ApplyReport, type Target, type WorkerReport } from './target.ts';
export { IncludeFileTarget, type IncludeFileOptions } from './targets/include-file.ts';
export { includeText } from './targets/include-text.ts';
export { MemoryTarget } from './targets/memory.ts';
export {
  createNginxWorkersTarget,
  type NginxWorkersOptions,
  type NginxWorkersTarget,
} from './targets/nginx-workers.ts';
export { type UpstreamPlan } from './upstream-plan.ts';
export { type UpstreamStatus } from './upstream-status.ts';
export { createUpstream, type Upstream, type UpstreamOptions } from './upstream.ts';
