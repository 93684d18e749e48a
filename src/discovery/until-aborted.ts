/** The lists of a source, which end quietly instead of throwing once the signal aborts. */
export async function* untilAborted<T>(lists: AsyncIterable<T>, signal: AbortSignal): AsyncGenerator<T> {
  if (signal.aborted) return;
  try {
    for await (const list of lists) {
      yield list;
      if (signal.aborted) return;
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
