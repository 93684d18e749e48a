import { createSync, MemoryTarget, parseUpsyncDirective, type UpstreamPlan } from 'upsync';

/**
 * Keeps many upstreams in step at once and tells how many servers each has. Here the lists are only kept in memory; a target
 * may also be nginx, a file, or whatever you write.
 */
export async function sync(registry: string, names: readonly string[]): Promise<Map<string, number>> {
  const plans = names.map((name): UpstreamPlan => {
    const directive = `${registry}/v1/kv/upstreams/${name}/ upsync_type=consul upsync_interval=500ms`;
    const where = { file: 'upstreams.conf', line: 1, folder: '/etc/app' };
    const { source, strongDependency, allowEmpty } = parseUpsyncDirective(directive.split(' '), where);
    return {
      name,
      source,
      strongDependency,
      allowEmpty,
      dumpPath: `${name}.dump.conf`,
      balancer: { method: 'round_robin', seed: 0, loadFactor: 1.25 },
      initial: [],
      where: 'upstreams.conf:1',
    };
  });
  const lists = new MemoryTarget();
  const engine = createSync({ plans, targets: [lists], guard: { minKeep: 0.5 } });
  await engine.start();
  try {
    const counts = new Map<string, number>();
    for (const name of names) counts.set(name, (await engine.ready(name)).servers.length);
    for (const { lastError } of engine.status()) if (lastError) throw new Error(lastError.message);
    return counts;
  } finally {
    // What is on its way to a target gets a second.
    await engine.close(1000);
  }
}
