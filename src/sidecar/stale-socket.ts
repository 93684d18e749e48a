import { rmSync, statSync } from 'node:fs';
import { connect } from 'node:net';

/**
 * Removes a unix socket that nobody listens on. A killed nginx leaves its socket behind, and then cannot start again:
 * "address already in use".
 * @param minAgeMs a younger one stays, since whoever made it may be about to listen. Milliseconds.
 */
export function removeStaleSocket(socket: string, minAgeMs: number): void {
  const made = statSync(socket, { throwIfNoEntry: false })?.ctimeMs;
  if (made === undefined || Date.now() - made < minAgeMs) return;
  const probe = connect(socket);
  probe.once('connect', () => probe.destroy());
  probe.once('error', (error: NodeJS.ErrnoException) => {
    probe.destroy();
    const same = statSync(socket, { throwIfNoEntry: false })?.ctimeMs === made;
    if (error.code === 'ECONNREFUSED' && same) rmSync(socket, { force: true });
  });
}
