import { type EtcdLoop, etcdV2Lists } from './etcd-v2.ts';
import { etcdV3Lists } from './etcd-v3.ts';
import type { RegistryHttp } from './http.ts';
import { PollFloor } from './poll-floor.ts';
import { parseRequestPath } from './request-path.ts';
import type { Source, SourceList, SourceOptions } from './source.ts';
import { untilAborted } from './until-aborted.ts';

/**
 * The servers under one prefix of etcd (`upsync_type=etcd`). A path that begins with `/v2/keys/` uses the old keys API, as
 * nginx-upsync-module does; any other path is a key prefix of etcd v3.
 */
export class EtcdSource implements Source {
  readonly description: string;
  readonly #loop: EtcdLoop;

  /** @throws {SourceError} SOURCE_BAD_OPTIONS when the path cannot be one. */
  constructor(options: SourceOptions, http: RegistryHttp) {
    const path = parseRequestPath(options.path);
    const floor = new PollFloor(options.intervalMs);
    this.#loop = { http, floor, path, options, memory: { seen: undefined } };
    this.description = `etcd ${http.description}${path.path}`;
  }

  lists(signal: AbortSignal): AsyncIterable<SourceList> {
    const isV2 = this.#loop.path.path.startsWith('/v2/keys/');
    return untilAborted((isV2 ? etcdV2Lists : etcdV3Lists)(this.#loop, signal), signal);
  }
}
