import { connect } from 'node:net';

/** Tries a server directly: milliseconds until it took a connection, or undefined when it did not. */
export type ProbeServer = (host: string, port: number, signal: AbortSignal) => Promise<number | undefined>;

/** How servers are checked while their registry cannot say how they are. */
export interface ProbeOptions {
  /** How long a registry must be silent before its servers are tried directly; 0 never tries. Milliseconds. @default 2000 */
  readonly afterMs?: number;
  /** Time between two rounds. Milliseconds. @default 5000 */
  readonly everyMs?: number;
  /** @default connectMs */
  readonly probe?: ProbeServer;
}

export const PROBE_DEFAULTS = Object.freeze({ afterMs: 2000, everyMs: 5000 });

const TIMEOUT_MS = 1000;
const CONCURRENCY = 16;
/** More are not tried in one round: if none of these answers, the place is gone. */
const SAMPLE = 64;

/** Opens a TCP connection and closes it; gives up after a second. */
export const connectMs: ProbeServer = (host, port, signal) =>
  new Promise((resolve) => {
    const start = performance.now();
    const socket = connect({ host, port, signal });
    const done = (taken: number | undefined): void => {
      socket.destroy();
      resolve(taken);
    };
    socket.setTimeout(TIMEOUT_MS, () => done(undefined));
    socket.once('connect', () => done(performance.now() - start));
    socket.once('error', () => done(undefined));
  });

/**
 * Finds out which servers do not answer. Of a long list a sample is tried; when none of it answers, all count as silent, else
 * only those that were tried.
 */
export async function silentServers<
  T extends { readonly id: string; readonly host: string; readonly port: number },
>(servers: readonly T[], probe: ProbeServer, signal: AbortSignal): Promise<ReadonlySet<string>> {
  const step = Math.max(1, servers.length / SAMPLE);
  const sample: T[] = [];
  for (let at = 0; at < servers.length; at += step) sample.push(servers[Math.floor(at)]!);
  const silent = new Set<string>();
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < sample.length && !signal.aborted) {
      const { id, host, port } = sample[next++]!;
      // A probe that breaks says nothing about the server.
      const taken = await probe(host, port, signal).catch(() => 0);
      if (taken === undefined) silent.add(id);
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, work));
  return silent.size === sample.length ? new Set(servers.map(({ id }) => id)) : silent;
}
