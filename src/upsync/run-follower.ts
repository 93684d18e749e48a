import type { Source, SourceList } from '../discovery/source.ts';
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
  const heard: Source = {
    description: source.description,
    lists: (stop) => hear(source.lists(stop), follower),
  };
  const backoff = new Backoff({ capMs: 10_000, ...(random && { random }) });
  for await (const event of watch(heard, { signal, logger, backoff })) {
    if (event.ok) follower.take(event.list);
    else follower.fail(event.error);
  }
}

// watch() drops lists that are no news, but that the registry answers at all is news after an outage.
async function* hear(lists: AsyncIterable<SourceList>, follower: Follower): AsyncGenerator<SourceList> {
  for await (const list of lists) {
    follower.contact(list.index);
    yield list;
  }
}
