import type { Source, SourceList } from '../../src/discovery/source.ts';
import type { Server } from '../../src/upstream/server.ts';

/** A registry of one upstream whose list is set, and which can be broken. */
export class FakeSource implements Source {
  readonly description: string;
  /** Times `lists()` was called. */
  opened = 0;
  /** Readers now. */
  open = 0;
  #list: SourceList | undefined;
  #failure: Error | undefined;
  #wake = new Set<() => void>();
  #index = 0;

  constructor(description = 'fake registry') {
    this.description = description;
  }

  set(servers: readonly Server[], rejected: SourceList['rejected'] = []): void {
    this.#list = { servers, rejected, index: String(++this.#index) };
    this.#failure = undefined;
    this.#tell();
  }

  /** From now on asking fails, until it is mended or a list is set. */
  fail(error: Error | undefined): void {
    this.#failure = error;
    this.#tell();
  }

  async *lists(signal: AbortSignal): AsyncGenerator<SourceList> {
    this.opened++;
    this.open++;
    let seen: SourceList | undefined;
    try {
      while (!signal.aborted) {
        if (this.#failure) throw this.#failure;
        if (this.#list && this.#list !== seen) {
          seen = this.#list;
          yield seen;
          continue;
        }
        await new Promise<void>((resolve) => {
          const wake = (): void => {
            this.#wake.delete(wake);
            signal.removeEventListener('abort', wake);
            resolve();
          };
          this.#wake.add(wake);
          signal.addEventListener('abort', wake);
        });
      }
    } finally {
      this.open--;
    }
  }

  #tell(): void {
    for (const wake of [...this.#wake]) wake();
  }
}
