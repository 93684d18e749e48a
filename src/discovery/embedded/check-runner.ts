import { connect } from 'node:net';
import { errorText } from '../../upstream/errors.ts';
import { type CheckSpec, checkType } from './check-spec.ts';
import type { Clock } from './clock.ts';

/** Consul's limits: no check runs more often, and one that names no timeout gets this. Milliseconds. */
const MIN_INTERVAL_MS = 1000;
const DEFAULT_TIMEOUT_MS = 10_000;
/** The first run comes after a random part of the interval, at most this, so that many checks do not run as one. */
const MAX_FIRST_DELAY_MS = 1000;
/** Kept of a reply's body. Bytes. */
const MAX_OUTPUT_BYTES = 4096;

export interface CheckResult {
  readonly status: 'passing' | 'warning' | 'critical';
  readonly output: string;
}

/** True for the kinds this registry runs by itself: HTTP and TCP. */
export function isRunnable(check: CheckSpec): boolean {
  return checkType(check) === 'http' || checkType(check) === 'tcp';
}

/** Runs an HTTP or TCP check for as long as it is not stopped, and reports each result that the thresholds let through. */
export function runCheck(
  check: CheckSpec,
  clock: Clock,
  random: () => number,
  report: (result: CheckResult) => void,
): () => void {
  const interval = Math.max(check.intervalMs, MIN_INTERVAL_MS);
  const stopped = new AbortController();
  const count = { good: 0, bad: 0 };
  const once = async () => {
    const result = await probe(check, stopped.signal);
    if (stopped.signal.aborted) return;
    const shown = weigh(check, count, result);
    if (shown) report(shown);
    schedule(interval);
  };
  let cancel: () => void = () => undefined;
  const schedule = (delayMs: number) => {
    cancel = clock.after(delayMs, () => void once());
  };
  schedule(random() * Math.min(interval, MAX_FIRST_DELAY_MS));
  return () => {
    cancel();
    stopped.abort();
  };
}

async function probe(check: CheckSpec, signal: AbortSignal): Promise<CheckResult> {
  const timeout = AbortSignal.timeout(check.timeoutMs > 0 ? check.timeoutMs : DEFAULT_TIMEOUT_MS);
  const both = AbortSignal.any([signal, timeout]);
  try {
    return check.http ? await probeHttp(check, both) : await probeTcp(check.tcp, both);
  } catch (error) {
    const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
    return { status: 'critical', output: errorText(cause) };
  }
}

async function probeHttp(check: CheckSpec, signal: AbortSignal): Promise<CheckResult> {
  if (!/^https?:\/\//i.test(check.http)) throw new Error(`${check.http} is no http or https URL`);
  const method = check.method || 'GET';
  const reply = await fetch(check.http, {
    method,
    signal,
    redirect: check.disableRedirects ? 'manual' : 'follow',
    headers: Object.entries(check.header).flatMap(([name, values]) =>
      values.map((value): [string, string] => [name, value]),
    ),
    ...(check.body === '' || method === 'GET' || method === 'HEAD' ? {} : { body: check.body }),
  });
  const body = await firstBytes(reply);
  const status = reply.ok ? 'passing' : reply.status === 429 ? 'warning' : 'critical';
  return {
    status,
    output: `HTTP ${method} ${check.http}: ${reply.status} ${reply.statusText} Output: ${body}`,
  };
}

async function firstBytes(reply: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  const reader = reply.body?.getReader() as ReadableStreamDefaultReader<Uint8Array> | undefined;
  while (reader && size < MAX_OUTPUT_BYTES) {
    const { done, value } = await reader.read();
    if (done) break;
    chunks.push(value);
    size += value.length;
  }
  await reader?.cancel();
  return Buffer.concat(chunks).subarray(0, MAX_OUTPUT_BYTES).toString('utf8');
}

async function probeTcp(address: string, signal: AbortSignal): Promise<CheckResult> {
  const split = /^\[?(.+?)\]?:(\d{1,5})$/.exec(address);
  if (!split) throw new Error(`${address} is no host:port`);
  await new Promise<void>((resolve, reject) => {
    const socket = connect({ host: split[1]!, port: Number(split[2]) });
    const leave = () => socket.destroy(new Error(`dial tcp ${address}: i/o timeout`));
    signal.addEventListener('abort', leave, { once: true });
    socket.once('connect', () => {
      signal.removeEventListener('abort', leave);
      socket.destroy();
      resolve();
    });
    socket.once('error', (error) => {
      signal.removeEventListener('abort', leave);
      reject(error);
    });
  });
  return { status: 'passing', output: `TCP connect ${address}: Success` };
}

// Consecutive results needed before a status is believed, as the check asks.
function weigh(
  check: CheckSpec,
  count: { good: number; bad: number },
  result: CheckResult,
): CheckResult | undefined {
  if (result.status !== 'critical') {
    count.good += 1;
    count.bad = 0;
    return count.good >= check.successBeforePassing ? result : undefined;
  }
  count.bad += 1;
  count.good = 0;
  if (count.bad >= check.failuresBeforeCritical) return result;
  const before = check.failuresBeforeWarning || check.failuresBeforeCritical;
  return count.bad >= before ? { ...result, status: 'warning' } : undefined;
}
