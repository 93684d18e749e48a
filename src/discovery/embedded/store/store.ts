import { Catalog } from './catalog.ts';
import { Indexes } from './indexes.ts';
import { KvStore } from './kv.ts';

/** Everything the registry knows, without any HTTP: for tests, demos and programs that fill it directly. */
export interface Store {
  readonly indexes: Indexes;
  readonly kv: KvStore;
  readonly catalog: Catalog;
}

/** An empty store. */
export function createStore(): Store {
  const indexes = new Indexes();
  return { indexes, kv: new KvStore(indexes), catalog: new Catalog(indexes) };
}
