import { watch } from 'chokidar';
import { errorText } from '../upstream/errors.ts';
import type { Logger } from '../upstream/logger.ts';

/** A watch that says "look again". */
export interface FolderWatch {
  /** Watches these folders as well. */
  add(folders: readonly string[]): void;
  close(): Promise<void>;
}

export interface FolderWatchOptions {
  readonly logger: Logger;
  /** Events within this time are one. Milliseconds. @default 100 */
  readonly quietMs?: number;
  /** Looks again without an event, for file systems that send none. Milliseconds. @default 30000 */
  readonly netMs?: number;
}

/** Looks a second time this long after an event. Milliseconds. */
const AGAIN_MS = 1000;

/**
 * Calls `look` after anything happened in one of the folders. The folders and not the files are watched, since a file that is
 * replaced, or a link of Kubernetes that is switched, would be lost otherwise; whether something changed is for `look`
 * to find out. One `look` at a time.
 */
export function watchFolders(
  folders: readonly string[],
  look: () => Promise<void>,
  { logger, quietMs = 100, netMs = 30_000 }: FolderWatchOptions,
): FolderWatch {
  let timer: NodeJS.Timeout | undefined;
  let again: NodeJS.Timeout | undefined;
  let running: Promise<void> = Promise.resolve();
  let closed = false;
  const soon = (): void => {
    if (closed) return;
    timer ??= setTimeout(() => {
      timer = undefined;
      running = running.then(async () => {
        if (!closed) await look();
      });
      running.catch((error: unknown) => logger.error({ error: errorText(error) }, 'look_failed'));
    }, quietMs);
  };
  // Of two changes that follow at once only the first may be reported.
  const onEvent = (): void => {
    soon();
    clearTimeout(again);
    again = setTimeout(soon, AGAIN_MS);
  };
  // Links are looked at, not through: a link that is switched is a change of its folder.
  const watcher = watch([...folders], { depth: 0, ignoreInitial: true, followSymlinks: false });
  watcher.on('all', onEvent);
  // What happened while the watch was being set up was not reported.
  watcher.on('ready', soon);
  // Too many watches, say: the slow look goes on.
  watcher.on('error', (error) => logger.warn({ error: errorText(error) }, 'watch_failed'));
  const net = setInterval(soon, netMs);
  return {
    add: (more) => void watcher.add([...more]),
    close: async () => {
      closed = true;
      clearTimeout(timer);
      clearTimeout(again);
      clearInterval(net);
      await watcher.close();
      await running.catch(() => undefined);
    },
  };
}
