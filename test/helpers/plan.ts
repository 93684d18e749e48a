import { join } from 'node:path';
import { createServer } from '../../src/upstream/server.ts';
import type { UpstreamPlan } from '../../src/upsync/upstream-plan.ts';

/** A plan for tests: its source's path is `/v1/kv/<name>/`, its dump `<folder>/<name>.conf`, its first list 10.0.0.1:80. */
export function testPlan(folder: string, name: string, changes: Partial<UpstreamPlan> = {}): UpstreamPlan {
  return {
    name,
    source: {
      type: 'consul',
      addresses: ['http://127.0.0.1:1'],
      path: `/v1/kv/${name}/`,
      intervalMs: 5000,
      timeoutMs: 60_000,
    },
    strongDependency: false,
    allowEmpty: false,
    dumpPath: join(folder, `${name}.conf`),
    balancer: { method: 'round_robin', seed: 0, loadFactor: 1.25 },
    initial: [createServer('10.0.0.1:80')],
    where: 'nginx.conf:3',
    ...changes,
  };
}
