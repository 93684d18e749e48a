import type { Provider, ProviderList, ValueSource } from '../../src/motan/provider.ts';
import type { RegistryQuery } from '../../src/motan/topology.ts';

interface Told<T> {
  value?: T;
  error?: Error;
  version: number;
}

/** A registry in memory: values by key, told to every open source at once, and failures on demand. */
export class MemoryRegistry<T> {
  readonly #told = new Map<string, Told<T>>();
  readonly #waiting = new Set<() => void>();
  /** Times a source was started, by key. */
  readonly opened = new Map<string, number>();
  /** Sources running now. */
  open = 0;

  set(key: string, value: T): void {
    this.#tell(key, { value });
  }

  fail(key: string, error = new Error(`no answer for ${key}`)): void {
    this.#tell(key, { error });
  }

  source(key: string): ValueSource<T> {
    return { description: `memory ${key}`, values: (signal) => this.#values(key, signal) };
  }

  async *#values(key: string, signal: AbortSignal): AsyncGenerator<T> {
    this.opened.set(key, (this.opened.get(key) ?? 0) + 1);
    this.open++;
    let seen = -1;
    try {
      while (!signal.aborted) {
        const told = this.#told.get(key);
        if (told === undefined || told.version === seen) {
          await this.#change(signal);
          continue;
        }
        seen = told.version;
        if (told.error !== undefined) throw told.error;
        yield told.value!;
      }
    } finally {
      this.open--;
    }
  }

  #tell(key: string, told: Omit<Told<T>, 'version'>): void {
    this.#told.set(key, { ...told, version: (this.#told.get(key)?.version ?? 0) + 1 });
    for (const wake of [...this.#waiting]) wake();
  }

  #change(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#waiting.delete(wake);
        signal.removeEventListener('abort', wake);
        resolve();
      };
      this.#waiting.add(wake);
      signal.addEventListener('abort', wake, { once: true });
    });
  }
}

/** Key of a query in a memory registry: datacenter and service. */
export function queryKey({ service, datacenter = 'local' }: RegistryQuery): string {
  return `${datacenter}/${service}`;
}

export function listOf(providers: readonly Provider[], complete = true): ProviderList {
  return { providers, rejected: [], complete };
}

/** Waits until `test` holds, for a second at most. */
export async function until(test: () => boolean, what = 'what was waited for'): Promise<void> {
  const end = performance.now() + 5000;
  while (!test()) {
    if (performance.now() > end) throw new Error(`${what} did not come about`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
