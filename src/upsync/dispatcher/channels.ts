import { channel } from 'node:diagnostics_channel';
import type { ServersDiff } from '../../upstream/diff.ts';
import type { Server } from '../../upstream/server.ts';
import type { Snapshot } from '../../upstream/snapshot.ts';

/** Message of `upsync:dispatcher:pick`: a server was picked. */
export interface PickMessage {
  readonly upstream: string;
  readonly server: Server;
  /** Which server it is for this request, from 1. */
  readonly attempt: number;
}

/** Message of `upsync:dispatcher:failure`: an attempt counted against a server. */
export interface AttemptFailureMessage {
  readonly upstream: string;
  readonly server: Server;
  /** An error's message, or `status 503`. */
  readonly reason: string;
}

/** Message of `upsync:dispatcher:list`: a dispatcher has a new list, and how it differs from the one before. */
export interface DispatcherListMessage extends ServersDiff {
  readonly snapshot: Snapshot;
}

/** Publishes a {@link PickMessage} for every attempt; costs nothing while nobody subscribes. */
export const pickChannel = channel('upsync:dispatcher:pick');
/** Publishes an {@link AttemptFailureMessage} for every attempt that counts against a server. */
export const failureChannel = channel('upsync:dispatcher:failure');
/** Publishes a {@link DispatcherListMessage} for every new list. */
export const listChannel = channel('upsync:dispatcher:list');
