import type { Method } from '../balancer/balancer.ts';
import type { Logger } from '../upstream/logger.ts';
import type { ShownUpstream } from '../upsync/show.ts';
import type { Target } from '../upsync/target.ts';
import type { NginxWiring } from './engine-config.ts';

/** What may change while a target is in use. */
export interface TargetContext {
  readonly wiring: () => NginxWiring;
  readonly methodOf: (upstream: string) => Method;
  readonly logger: Logger;
}

/** Opens what brings lists to the nginx of this wiring. nginx need not run yet. */
export async function openTarget({ wiring, methodOf, logger }: TargetContext): Promise<Target> {
  const now = wiring();
  if (now.mode === 'workers') {
    const { createNginxWorkersTarget } = await import('../upsync/targets/nginx-workers.ts');
    return createNginxWorkersTarget({ socketPath: now.controlSocket, logger });
  }
  const { IncludeFileTarget } = await import('../upsync/targets/include-file.ts');
  const { ShowFiles } = await import('../upsync/targets/show-files.ts');
  const { masterPid: _first, show, ...rest } = now;
  return new IncludeFileTarget({
    ...rest,
    // Another master takes over when nginx's binary is upgraded.
    get masterPid() {
      return wiring().masterPid;
    },
    ...(show && { show: new ShowFiles(show.folder, () => shownBy(wiring())) }),
    methodOf,
    logger,
  });
}

function shownBy(wiring: NginxWiring): readonly ShownUpstream[] {
  return wiring.mode === 'reload' ? (wiring.show?.upstreams ?? []) : [];
}

/**
 * True when a target that was opened for one wiring serves the other as well: only the master's pid and what is shown of
 * other upstreams may differ.
 */
export function sameWiring(a: NginxWiring | undefined, b: NginxWiring | undefined): boolean {
  const matters = (wiring: NginxWiring | undefined): string => {
    if (!wiring) return '';
    const { masterPid: _pid, ...rest } = wiring;
    // Looked up anew each time.
    return JSON.stringify({ ...rest, show: 'show' in rest ? rest.show?.folder : undefined });
  };
  return matters(a) === matters(b);
}
