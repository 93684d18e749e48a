import type { EngineConfig, NginxWiring } from '../engine-config.ts';
import { defaultLevel } from '../log.ts';
import type { NginxBinary } from '../nginx-binary.ts';
import type { NginxArguments } from './arguments.ts';
import { globalDirectives } from './nginx-arguments.ts';
import type { Preparation } from './preparation.ts';
import type { Runtime } from './runtime.ts';

export interface EngineWiring {
  readonly preparation: Preparation;
  readonly masterPid: number;
  readonly nginx: NginxBinary;
  readonly args: NginxArguments;
  readonly runtime: Runtime;
}

/** What the engine is told about the nginx it feeds. */
export function engineConfig(wiring: EngineWiring): EngineConfig {
  return {
    plans: wiring.preparation.plans,
    nginx: nginxWiring(wiring),
    statusSocket: wiring.runtime.statusSocket,
    logLevel: defaultLevel(),
  };
}

function nginxWiring({ preparation, masterPid, nginx, args, runtime }: EngineWiring): NginxWiring {
  if (preparation.mode === 'workers')
    return { mode: 'workers', controlSocket: runtime.controlSocket, masterPid };
  const { configPath } = preparation;
  return {
    mode: 'reload',
    includeDir: runtime.includes,
    nginxBinary: nginx.path,
    configPath,
    prefix: preparation.prefix,
    globalDirectives: globalDirectives(args.globals, {
      configPath,
      pidFile: runtime.nginxPid,
      daemon: false,
    }),
    masterPid,
    reloadIntervalMs: 1000,
    show: { folder: runtime.shows, upstreams: preparation.shown },
  };
}
