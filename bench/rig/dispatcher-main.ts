import { BalancedPool, Pool, RoundRobinPool, type Dispatcher } from 'undici';
import { createServer } from '../../src/upstream/server.ts';
import { UpsyncDispatcher } from '../../src/upsync/dispatcher/upsync-dispatcher.ts';

// One dispatcher in a process of its own: `concurrency` requests under way at all times for `seconds`.
export interface DispatcherRun {
  readonly kind: 'upsync' | 'balanced-pool' | 'round-robin-pool' | 'pool';
  readonly addresses: readonly string[];
  readonly seconds: number;
  readonly concurrency: number;
}
export interface DispatcherResult {
  readonly requestsPerSecond: number;
  readonly failed: number;
}

const { kind, addresses, seconds, concurrency } = JSON.parse(process.argv[2] ?? '{}') as DispatcherRun;
const origins = addresses.map((address) => `http://${address}`);
const connections = Math.ceil(concurrency / addresses.length);

function create(): Dispatcher {
  if (kind === 'balanced-pool') return new BalancedPool(origins, { connections });
  if (kind === 'round-robin-pool') return new RoundRobinPool(origins[0]!, { connections: concurrency });
  if (kind === 'pool') return new Pool(origins[0]!, { connections: concurrency });
  return new UpsyncDispatcher({
    upstream: 'bench',
    servers: addresses.map((address) => createServer(address)),
    pool: { connections },
  });
}

const dispatcher = create();
const origin = kind === 'upsync' ? 'http://bench' : origins[0]!;
let ok = 0;
let failed = 0;
let until = 0;
async function client(): Promise<void> {
  while (performance.now() < until) {
    try {
      const { statusCode, body } = await dispatcher.request({ origin, path: '/', method: 'GET' });
      await body.dump();
      if (statusCode === 200) ok += 1;
      else failed += 1;
    } catch {
      failed += 1;
    }
  }
}
async function turn(milliseconds: number): Promise<void> {
  until = performance.now() + milliseconds;
  await Promise.all(Array.from({ length: concurrency }, client));
}
await turn(500);
ok = 0;
const begun = performance.now();
await turn(seconds * 1000);
const result: DispatcherResult = { requestsPerSecond: (ok * 1000) / (performance.now() - begun), failed };
process.stdout.write(JSON.stringify(result), () => process.exit(0));
