import type { LookupFunction } from 'node:net';
import { BalancedPool, interceptors, Pool, RoundRobinPool, type Dispatcher } from 'undici';
import { createServer } from '../../src/upstream/server.ts';
import { UpsyncDispatcher } from '../../src/upsync/dispatcher/upsync-dispatcher.ts';

/** The ways to several servers that are compared; `balanced-pool-retry` is undici's BalancedPool with its retry interceptor. */
export type DispatcherKind = 'upsync' | 'balanced-pool' | 'balanced-pool-retry' | 'round-robin-pool' | 'pool';

/** A dispatcher, the origin to ask it for, and how it learns of one more server. */
export interface Balanced {
  readonly dispatcher: Dispatcher;
  readonly origin: string;
  readonly add: (address: string) => void;
}

/** Makes one over these `address:port`s, which share their port. */
export function createBalanced(
  kind: DispatcherKind,
  addresses: readonly string[],
  connections: number,
): Balanced {
  if (kind === 'upsync') return upsync(addresses, connections);
  if (kind === 'round-robin-pool') return byName(addresses, connections);
  const origins = addresses.map((address) => `http://${address}`);
  const origin = origins[0]!;
  if (kind === 'pool') {
    const dispatcher = new Pool(origin, { connections: connections * addresses.length });
    return { dispatcher, origin, add: () => undefined };
  }
  const pool = new BalancedPool(origins, { connections });
  return {
    dispatcher: kind === 'balanced-pool' ? pool : pool.compose(interceptors.retry()),
    origin,
    add: (address) => void pool.addUpstream(`http://${address}`),
  };
}

function upsync(addresses: readonly string[], connections: number): Balanced {
  const servers = addresses.map((address) => createServer(address));
  const dispatcher = new UpsyncDispatcher({ upstream: 'bench', servers, pool: { connections } });
  let version = 0;
  return {
    dispatcher,
    origin: 'http://bench',
    add: (address) => {
      servers.push(createServer(address));
      version += 1;
      void dispatcher.apply({
        upstream: 'bench',
        version,
        servers: [...servers],
        origin: { kind: 'static', source: 'bench', at: 0 },
      });
    },
  };
}

// RoundRobinPool takes connections to one origin in turn: the servers are the addresses of one name, turned at each look-up.
function byName(addresses: readonly string[], connections: number): Balanced {
  const known = addresses.map((address) => address.slice(0, address.lastIndexOf(':')));
  const port = addresses[0]!.slice(addresses[0]!.lastIndexOf(':') + 1);
  const lookup: LookupFunction = (_, { all }, callback) => {
    known.push(known.shift()!);
    if (all === true)
      callback(
        null,
        known.map((address) => ({ address, family: 4 })),
      );
    else callback(null, known[0]!, 4);
  };
  return {
    dispatcher: new RoundRobinPool(`http://bench.test:${port}`, {
      connections: connections * addresses.length,
      connect: { lookup },
    }),
    origin: `http://bench.test:${port}`,
    add: (address) => known.unshift(address.slice(0, address.lastIndexOf(':'))),
  };
}
