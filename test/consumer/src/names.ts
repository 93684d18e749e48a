import { consulSources, createResolver, createTopology, type Resolution } from 'upsync/motan';

/** Finds a resource in its own data centre, and in the next one when that has no server left. */
export async function names(here: string, there: string, name: string): Promise<Resolution> {
  const resolver = createResolver({
    topology: createTopology({ local: 'a', idcs: [{ name: 'a' }, { name: 'b', registry: there }] }),
    ...consulSources({ addresses: [here], intervalMs: 500 }),
  });
  try {
    return await resolver.ready(name, { timeoutMs: 5000 });
  } finally {
    await resolver.close();
  }
}
