import { setTimeout as sleep } from 'node:timers/promises';
import { request } from 'undici';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createServer } from '../../../src/upstream/server.ts';
import type { Snapshot } from '../../../src/upstream/snapshot.ts';
import { UpsyncDispatcher } from '../../../src/upsync/dispatcher/upsync-dispatcher.ts';
import { type RestartableServer, startRestartable } from '../../helpers/restartable-server.ts';
import { scratchFolder } from '../../helpers/scratch-folder.ts';

const CLIENTS = 8;

/** Clients that ask one after the other from the beginning to the end of a test. */
class Load {
  readonly failures: string[] = [];
  #answered = 0;
  #ending = false;
  readonly #clients: Promise<void>[];

  constructor(url: string, dispatcher: UpsyncDispatcher) {
    this.#clients = Array.from({ length: CLIENTS }, async () => {
      while (!this.#ending) {
        try {
          const { statusCode, body } = await request(url, { dispatcher });
          expect([statusCode, await body.text()]).toEqual([200, 'served']);
          this.#answered += 1;
        } catch (error) {
          this.failures.push(String(error));
        }
      }
    });
  }

  /** Resolves when so many more requests were answered. */
  async more(count: number): Promise<void> {
    const wanted = this.#answered + count;
    await expect.poll(() => this.#answered, { interval: 5 }).toBeGreaterThan(wanted);
  }

  async end(): Promise<void> {
    this.#ending = true;
    await Promise.all(this.#clients);
  }
}

function snapshot(version: number, servers: readonly RestartableServer[]): Snapshot {
  return {
    upstream: 'api',
    version,
    servers: servers.map(({ address }) => createServer(address, { maxFails: 1, failTimeoutMs: 50 })),
    origin: { kind: 'registry', source: 'test', at: 0 },
  };
}

async function beginWith(protocol: 'HTTP/1.1' | 'h2', count: number, listed = count) {
  const { servers, url, ca } = await startRestartable(protocol, count, scratchFolder());
  const dispatcher = new UpsyncDispatcher({
    upstream: 'api',
    ...(ca !== undefined && { pool: { allowH2: true, connect: { ca } } }),
  });
  onTestFinished(async () => {
    await dispatcher.destroy();
    for (const server of servers) await server.kill();
  });
  await dispatcher.apply(snapshot(1, servers.slice(0, listed)));
  const load = new Load(url, dispatcher);
  await load.more(100);
  return { servers, dispatcher, load };
}

async function restartInTurn(
  servers: readonly RestartableServer[],
  load: Load,
  stop: (server: RestartableServer) => Promise<void>,
): Promise<void> {
  for (const server of servers) {
    await stop(server);
    await load.more(50);
    await server.start();
    // So long the dispatcher leaves a server alone that failed.
    await sleep(70);
    await load.more(50);
  }
  await load.end();
}

describe.each(['HTTP/1.1', 'h2'] as const)('under load over %s', (protocol) => {
  const begin = (count: number, listed?: number) => beginWith(protocol, count, listed);

  it('no request fails while each server is killed and started again in turn', async () => {
    const { servers, load } = await begin(4);
    await restartInTurn(servers, load, (server) => server.kill());
    expect(load.failures).toEqual([]);
  });

  it('no request fails while each server is shut down and started again in turn', async () => {
    const { servers, load } = await begin(4);
    await restartInTurn(servers, load, (server) => server.shutDown());
    expect(load.failures).toEqual([]);
  });

  it('no request fails while each server is taken out of the list, restarted and put back in turn', async () => {
    const { servers, dispatcher, load } = await begin(4);
    let version = 1;
    for (const server of servers) {
      await dispatcher.apply(
        snapshot(
          (version += 1),
          servers.filter((other) => other !== server),
        ),
      );
      // What it was asked before is answered by then.
      await load.more(50);
      await server.shutDown();
      await server.start();
      await dispatcher.apply(snapshot((version += 1), servers));
      await load.more(50);
    }
    await load.end();
    expect(load.failures).toEqual([]);
    expect(Math.min(...servers.map(({ answers }) => answers))).toBeGreaterThan(50);
  });

  it('no request fails when one of four servers dies and stays dead', async () => {
    const { servers, load } = await begin(4);
    await servers[2]!.kill();
    await load.more(500);
    await load.end();
    expect(load.failures).toEqual([]);
  });

  it('no request fails when a server is added, and it gets its share', async () => {
    const { servers, dispatcher, load } = await begin(4, 3);
    await dispatcher.apply(snapshot(2, servers));
    const before = servers.map(({ answers }) => answers);
    await load.more(400);
    await load.end();
    expect(load.failures).toEqual([]);
    const shares = servers.map(({ answers }, at) => answers - before[at]!);
    expect(Math.max(...shares) - Math.min(...shares)).toBeLessThanOrEqual(2 * CLIENTS);
  });
});
