import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import { formatAddress } from '../upstream/address.ts';
import type { Sync } from '../upsync/sync.ts';
import { createAdminApp } from './admin-routes.ts';
import type { AdminListen } from './engine-config.ts';
import type { EngineStatus } from './engine-status.ts';
import { createMetrics } from './metrics.ts';
import { closeServer } from './status-server.ts';

export interface AdminServer {
  /** `http://127.0.0.1:8600/`. */
  readonly url: string;
  close(): Promise<void>;
}

/**
 * Opens the admin API: health, metrics, lists, events and a page. It has no password and reads only, so it belongs on a
 * loopback address or behind something that asks for one.
 * @throws when the address cannot be used (`EADDRINUSE`, …).
 */
export async function openAdmin(
  listen: AdminListen,
  { status, sync }: { readonly status: () => EngineStatus; readonly sync: Pick<Sync, 'changes'> },
): Promise<AdminServer> {
  const stop = new AbortController();
  const metrics = createMetrics(
    () => status().upstreams,
    () => status().names,
  );
  const app = createAdminApp({
    status,
    changes: (signal) => sync.changes(signal),
    metrics,
    listenHost: listen.host,
    signal: stop.signal,
  });
  const server = createAdaptorServer({
    fetch: (request) => app.fetch(request),
    overrideGlobalObjects: false,
  });
  try {
    server.listen(listen.port, listen.host);
    await once(server, 'listening');
  } catch (error) {
    metrics.close();
    throw error;
  }
  const { address, port } = server.address() as AddressInfo;
  return {
    url: `http://${formatAddress(address, port)}/`,
    close: async () => {
      stop.abort();
      metrics.close();
      if ('closeAllConnections' in server) await closeServer(server);
    },
  };
}
