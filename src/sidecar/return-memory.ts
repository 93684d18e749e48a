import { errorText } from '../upstream/errors.ts';
import type { Logger } from '../upstream/logger.ts';

/** nginx and the engine are busy in the first moments; this can wait. Milliseconds. */
const AFTER_MS = 2000;

/**
 * Gives memory back to the system that a start took (a large configuration, the first lists), a while from now. A process
 * that does little afterwards would keep it: its collector may not run for minutes.
 */
export function returnMemoryLater(logger: Logger, afterMs = AFTER_MS): void {
  const timer = setTimeout(() => {
    collect().catch((error: unknown) =>
      // Node can be built without its inspector. The collector then comes by itself, only later.
      logger.debug({ error: errorText(error) }, 'memory_not_returned'),
    );
  }, afterMs);
  timer.unref();
}

// The inspector's own request for a collection: nothing listens anywhere, and no flag is needed.
async function collect(): Promise<void> {
  const { Session } = await import('node:inspector');
  const session = new Session();
  session.connect();
  try {
    await new Promise<void>((resolve, reject) => {
      session.post('HeapProfiler.collectGarbage', (error) => (error ? reject(error) : resolve()));
    });
  } finally {
    session.disconnect();
  }
}
