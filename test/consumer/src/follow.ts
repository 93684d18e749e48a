import { openSource, type Server, watch } from 'upsync';

/** Keeps a pool of your own in step; ends after the first list that the registry told. */
export async function follow(registry: string, dump: string): Promise<readonly Server[]> {
  const source = openSource({
    type: 'consul',
    addresses: [`http://${registry}`],
    path: '/v1/kv/upstreams/users/',
    intervalMs: 500,
    timeoutMs: 60_000,
  });
  for await (const { origin, servers } of watch(source, { dump, guard: { minKeep: 0.5, holdMs: 10_000 } })) {
    if (origin.kind === 'registry') return servers;
  }
  return [];
}
