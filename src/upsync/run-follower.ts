import type { Source } from '../discovery/source.ts';
import { watch } from '../discovery/watch.ts';
import { Backoff } from '../upstream/backoff.ts';
import type { Logger } from '../upstream/logger.ts';
import type { Follower } from './follower.ts';

/** Feeds a follower with what a source tells until the signal aborts. Never rejects. */
export async function runFollower(
  follower: Follower,
  source: Source,
  options: { readonly signal: AbortSignal; readonly logger: Logger; readonly random?: () => number },
): Promise<void> {
  const { signal, logger, random } = options;
  const heard = ({ index }: { readonly index?: string }): void => follower.contact(index);
  const backoff = new Backoff({ capMs: 10_000, ...(random && { random }) });
  for await (const event of watch(source, { signal, logger, backoff, heard })) {
    if (event.ok) follower.take(event.list);
    else follower.fail(event.error);
  }
}
