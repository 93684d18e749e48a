export { type RejectedEntry, UpsyncError } from '../upstream/errors.ts';
export { type Logger } from '../upstream/logger.ts';
export { createServer, type Server } from '../upstream/server.ts';
export {
  createEmbeddedRegistry,
  type EmbeddedRegistry,
  type EmbeddedRegistryOptions,
} from './embedded/registry.ts';
export { openSource, openSources } from './open.ts';
export { Registrar, type RegistrarOptions } from './registrar.ts';
export { SourceError, type SourceErrorCode } from './source-error.ts';
export {
  type Consistency,
  type RegistryTls,
  type Source,
  type SourceList,
  type SourceOptions,
  type SourceType,
} from './source.ts';
export { watch, type WatchEvent, type WatchOptions } from './watch.ts';
