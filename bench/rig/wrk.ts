import { output } from './child.ts';

/** What wrk says of one run. Latencies in milliseconds. */
export interface WrkResult {
  readonly requestsPerSecond: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  readonly requests: number;
  readonly non2xx: number;
  readonly socketErrors: number;
}

export interface WrkOptions {
  readonly url: string;
  readonly seconds: number;
  readonly connections: number;
  readonly threads?: number;
  /** A Lua script, for instance one that closes the connection after each request. */
  readonly script?: string;
  readonly headers?: readonly string[];
}

/** Runs wrk, a closed-loop client: use it for throughput, and the paced client for latency. */
export async function wrk({
  url,
  seconds,
  connections,
  threads = 1,
  script,
  headers = [],
}: WrkOptions): Promise<WrkResult> {
  const args = ['-t', String(threads), '-c', String(connections), '-d', `${seconds}s`, '--latency'];
  if (script !== undefined) args.push('-s', script);
  for (const header of headers) args.push('-H', header);
  return parseWrk(await output('wrk', [...args, url], (seconds + 30) * 1000));
}

/** Reads wrk's text; throws when it is not wrk's. */
export function parseWrk(text: string): WrkResult {
  const rate = /Requests\/sec:\s+([\d.]+)/.exec(text)?.[1];
  if (rate === undefined) throw new Error(`wrk said nothing of a rate:\n${text}`);
  const errors = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(text);
  return {
    requestsPerSecond: Number(rate),
    p50: milliseconds(/\s50%\s+(\S+)/.exec(text)?.[1]),
    p99: milliseconds(/\s99%\s+(\S+)/.exec(text)?.[1]),
    max: milliseconds(/Latency\s+\S+\s+\S+\s+(\S+)/.exec(text)?.[1]),
    requests: Number(/(\d+) requests in/.exec(text)?.[1] ?? 0),
    non2xx: Number(/Non-2xx or 3xx responses: (\d+)/.exec(text)?.[1] ?? 0),
    socketErrors: errors === null ? 0 : errors.slice(1).reduce((sum, count) => sum + Number(count), 0),
  };
}

function milliseconds(text: string | undefined): number {
  const parts = /^([\d.]+)(us|ms|s|m)$/.exec(text ?? '');
  if (parts === null) return Number.NaN;
  return Number(parts[1]) * { us: 0.001, ms: 1, s: 1000, m: 60_000 }[parts[2] as 'us' | 'ms' | 's' | 'm'];
}
