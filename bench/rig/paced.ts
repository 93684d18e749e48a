import path from 'node:path';
import { output } from './child.ts';

/** What the paced client asks for; see paced.lua for how. */
export interface PacedOptions {
  readonly port: number;
  /** Requests a second over `connections` keepalive connections, taken in turn. @default 0 */
  readonly keepaliveRate?: number;
  /** Requests a second with a new connection each. @default 0 */
  readonly shortRate?: number;
  readonly seconds: number;
  /** @default 64 */
  readonly connections?: number;
  /** Seconds that answers may still come after the last request was due. @default 5 */
  readonly patience?: number;
}

/** One kind of client in one run. */
export interface Sample {
  readonly sent: number;
  readonly ok: number;
  /** Failures by kind: a status or the socket's error. */
  readonly errors: Readonly<Record<string, number>>;
  /** Keepalive connections that nginx closed, idle or in use. */
  readonly dropped: number;
  readonly opened: number;
  /** One per request, counted from the moment it was due. */
  readonly microseconds: readonly number[];
}

export interface PacedResult {
  readonly keepalive: Sample;
  readonly short: Sample;
  /** Microseconds the client itself was late for each request: its own share of the latencies. */
  readonly late: readonly number[];
}

const PROGRAM = path.resolve('bench/rig/paced.lua');

/** Runs the paced client, a process of its own. */
export async function paced(options: PacedOptions): Promise<PacedResult> {
  const { port, keepaliveRate = 0, shortRate = 0, seconds, connections = 64, patience = 5 } = options;
  const given = {
    host: '127.0.0.1',
    port,
    path: '/',
    keepaliveRate,
    shortRate,
    seconds,
    connections,
    patience,
  };
  const args = Object.entries(given).map(([name, value]) => `${name}=${value}`);
  return JSON.parse(await output('luajit', [PROGRAM, ...args], (seconds + 30) * 1000)) as PacedResult;
}

/** All failures of one kind of client. */
export function failures({ errors }: Sample): number {
  return Object.values(errors).reduce((sum, count) => sum + count, 0);
}
