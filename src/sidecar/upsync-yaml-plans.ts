import path from 'node:path';
import { parseDuration } from '../upstream/duration.ts';
import { errorText, UpsyncError } from '../upstream/errors.ts';
import { parseServerWords } from '../upstream/server-line.ts';
import { ConfigError, ConfigErrors } from '../upsync/config-error.ts';
import { dumpPathOf, parseUpsyncDirective } from '../upsync/directives.ts';
import type { UpstreamPlan } from '../upsync/upstream-plan.ts';
import type { AdminListen, EngineConfig } from './engine-config.ts';
import type { YamlUpstream } from './upsync-yaml-schema.ts';
import type { YamlFile } from './upsync-yaml.ts';

/** Keys that are no parameters of the `upsync` directive. */
const OTHER: ReadonlySet<string> = new Set(['name', 'upsync', 'upsync_lb', 'upsync_dump_path', 'servers']);

/**
 * The upstreams a configuration lists itself. Relative files belong to the folder of the configuration.
 * @throws {ConfigErrors} CONFIG_INVALID with file and line of every mistake.
 */
export function plansOf(yaml: YamlFile): readonly UpstreamPlan[] {
  const errors: ConfigError[] = [];
  const plans: UpstreamPlan[] = [];
  for (const [at, upstream] of (yaml.data.upstreams ?? []).entries()) {
    const place = { file: yaml.file, line: yaml.lineOf(['upstreams', at, 'upsync']) };
    try {
      if (plans.some((plan) => plan.name === upstream.name))
        throw new UpsyncError('CONFIG_INVALID', `the upstream "${upstream.name}" is there already`);
      plans.push(planOf(upstream, yaml, place));
    } catch (error) {
      errors.push(
        error instanceof ConfigError ? error : new ConfigError(errorText(error), place, { cause: error }),
      );
    }
  }
  if (errors.length > 0) throw new ConfigErrors(errors);
  return plans;
}

/** What of the configuration concerns the engine alone. */
export function engineSettings(yaml: YamlFile): Omit<EngineConfig, 'plans' | 'nginx'> {
  const { admin, guard, status_socket: socket, log_level: logLevel = 'info' } = yaml.data;
  const at = (section: string, key: string) => ({ file: yaml.file, line: yaml.lineOf([section, key]) });
  return {
    logLevel,
    ...(admin && { admin: parseListen(admin.listen, at('admin', 'listen')) }),
    ...(guard && {
      guard: { minKeep: guard.min_keep, holdMs: durationAt(guard.hold ?? '30s', at('guard', 'hold')) },
    }),
    ...(socket !== undefined && { statusSocket: path.resolve(path.dirname(yaml.file), socket) }),
  };
}

/** A time of the configuration in milliseconds. @throws {ConfigError} CONFIG_INVALID */
export function durationAt(text: string, place: { file: string; line: number }): number {
  try {
    return parseDuration(text);
  } catch (error) {
    throw new ConfigError(errorText(error), place, { cause: error });
  }
}

/** An address to listen on of the configuration, as `readListen` knows them. @throws {ConfigError} CONFIG_INVALID */
export function parseListen(text: string, place: { file: string; line: number }): AdminListen {
  try {
    return readListen(text);
  } catch (error) {
    throw new ConfigError(errorText(error), place, { cause: error });
  }
}

/** `127.0.0.1:8600`, `[::1]:8600`, `localhost:8600`; port 0 takes a free one. @throws {UpsyncError} USAGE */
export function readListen(text: string): AdminListen {
  const match = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):(\d{1,5})$/.exec(text);
  const port = Number(match?.[2]);
  if (!match || port > 65_535)
    throw new UpsyncError(
      'USAGE',
      `${JSON.stringify(text.slice(0, 60))} is no address to listen on: expected 127.0.0.1:8600`,
    );
  return { host: match[1]!.replace(/^\[|\]$/g, ''), port };
}

function planOf(upstream: YamlUpstream, yaml: YamlFile, place: { file: string; line: number }): UpstreamPlan {
  const folder = path.dirname(yaml.file);
  const words = Object.entries(upstream)
    .filter(([key, value]) => !OTHER.has(key) && value !== undefined)
    .flatMap(([key, value]) => (Array.isArray(value) ? value : [value]).map((one) => `${key}=${one}`));
  const directive = parseUpsyncDirective([upstream.upsync, ...words], { ...place, folder });
  const initial = (upstream.servers ?? []).map((line) => parseServerWords(line.trim().split(/\s+/)));
  return {
    name: upstream.name,
    source: directive.source,
    strongDependency: directive.strongDependency,
    allowEmpty: directive.allowEmpty,
    dumpPath: dumpPathOf(upstream.name, upstream.upsync_dump_path, folder),
    balancer: { method: methodOf(upstream.upsync_lb), seed: directive.seed, loadFactor: 1.25 },
    slowStartMs: directive.slowStartMs,
    initial,
    where: `${place.file}:${place.line}`,
  };
}

// Only the order of the list depends on it here: whoever balances has chosen the method.
const METHODS = {
  roundrobin: 'round_robin',
  least_conn: 'least_conn',
  ip_hash: 'ip_hash',
  hash_modula: 'hash',
  hash_ketama: 'hash_consistent',
  random: 'random',
  ewma: 'ewma',
  bounded_hash: 'bounded_hash',
} as const;

function methodOf(word: string | undefined): UpstreamPlan['balancer']['method'] {
  if (word === undefined) return 'round_robin';
  if (!Object.hasOwn(METHODS, word))
    throw new UpsyncError('CONFIG_INVALID', `"upsync_lb" must be one of ${Object.keys(METHODS).join(', ')}`);
  return METHODS[word as keyof typeof METHODS];
}
