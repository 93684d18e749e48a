import { setTimeout as delay } from 'node:timers/promises';
import { createBalanced, type DispatcherKind } from './dispatcher-kinds.ts';

// One dispatcher in a process of its own: `concurrency` clients, each with a request under way or pausing, for `seconds`. Halfway
// it says so on standard output, for what is to happen then; what joins is made known by itself.
export interface DispatcherRun {
  readonly kind: DispatcherKind;
  readonly addresses: readonly string[];
  readonly seconds: number;
  readonly concurrency: number;
  /** Between the answer and the next request of a client; 0 keeps requests under way at all times. */
  readonly pauseMs: number;
  /** Joins halfway. */
  readonly joins?: string;
}
export interface DispatcherResult {
  readonly requestsPerSecond: number;
  readonly answered: number;
  /** Failures by kind: a status or an error's code. */
  readonly errors: Readonly<Record<string, number>>;
  readonly longestMs: number;
  /** Answers of the last quarter by who gave them, as the backends say it in the body. */
  readonly servedLast: Readonly<Record<string, number>>;
}

const WARM_SECONDS = 0.5;
const { kind, addresses, seconds, concurrency, pauseMs, joins } = JSON.parse(
  process.argv[2] ?? '{}',
) as DispatcherRun;
const { dispatcher, origin, add } = createBalanced(
  kind,
  addresses,
  Math.ceil(concurrency / addresses.length),
);
const errors = new Map<string, number>();
const served = new Map<string, number>();
let answered = 0;
let longestMs = 0;
let until = 0;
let lastFrom = Number.POSITIVE_INFINITY;

async function ask(): Promise<void> {
  const begun = performance.now();
  try {
    const { statusCode, body } = await dispatcher.request({ origin, path: '/', method: 'GET' });
    if (begun < lastFrom) await body.dump();
    else count(served, await body.text());
    if (statusCode === 200) answered += 1;
    else count(errors, `status ${statusCode}`);
  } catch (error) {
    const { code, name } = error as NodeJS.ErrnoException;
    count(errors, code ?? name);
  }
  longestMs = Math.max(longestMs, performance.now() - begun);
}
function count(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
async function turn(milliseconds: number): Promise<void> {
  until = performance.now() + milliseconds;
  const client = async (): Promise<void> => {
    while (performance.now() < until) {
      await ask();
      if (pauseMs > 0) await delay(pauseMs);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, client));
}
await turn(WARM_SECONDS * 1000);
errors.clear();
answered = 0;
longestMs = 0;
const begun = performance.now();
lastFrom = joins === undefined ? lastFrom : begun + seconds * 750;
setTimeout(() => {
  if (joins !== undefined) add(joins);
  process.stdout.write('halfway\n');
}, seconds * 500);
await turn(seconds * 1000);
const result: DispatcherResult = {
  requestsPerSecond: (answered * 1000) / (performance.now() - begun),
  answered,
  errors: Object.fromEntries(errors),
  longestMs,
  servedLast: Object.fromEntries(served),
};
process.stdout.write(JSON.stringify(result), () => process.exit(0));
