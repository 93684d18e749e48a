import { channel } from 'node:diagnostics_channel';
import type { UpsyncError } from '../upstream/errors.ts';
import type { Snapshot } from '../upstream/snapshot.ts';

/** Message of `upsync:sync:list`: an upstream has a new list. */
export interface ListMessage {
  readonly snapshot: Snapshot;
  /** The list before, if there was one. */
  readonly previous: Snapshot | undefined;
}

/** Message of `upsync:sync:failure`: a fetch failed, or a list was not believed. The last good list stays in use. */
export interface FailureMessage {
  readonly upstream: string;
  readonly error: UpsyncError;
}

/** Message of `upsync:sync:apply`: a target answered, or failed to. */
export interface ApplyMessage {
  readonly target: string;
  readonly upstreams: readonly string[];
  readonly seconds: number;
  readonly ok: boolean;
}

/** Publishes a {@link ListMessage} for every new list; costs nothing while nobody subscribes. */
export const listChannel = channel('upsync:sync:list');
/** Publishes a {@link FailureMessage} for every failure. */
export const failureChannel = channel('upsync:sync:failure');
/** Publishes an {@link ApplyMessage} for every attempt at a target. */
export const applyChannel = channel('upsync:sync:apply');
