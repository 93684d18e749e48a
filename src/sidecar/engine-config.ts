import { METHODS } from '../balancer/methods.ts';
import { chmod, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { z } from 'zod';
import { MAX_DURATION_MS } from '../upstream/duration.ts';
import { UpsyncError, errorText } from '../upstream/errors.ts';
import { MAX_WEIGHT } from '../upstream/server-type.ts';
import type { ShownUpstream } from '../upsync/show.ts';
import type { UpstreamPlan } from '../upsync/upstream-plan.ts';

/** nginx with the Lua module: lists go to the workers through the control socket, without a reload. */
export interface WorkersWiring {
  readonly mode: 'workers';
  /** Unix socket of the control endpoint that the translated configuration opens. */
  readonly controlSocket: string;
  /** The nginx master; the engine ends when it is gone. Left out when the engine must outlive nginx (`upsync run`). */
  readonly masterPid?: number;
}

/** nginx without the Lua module: lists go to include files, followed by `nginx -t` and a reload. */
export interface ReloadWiring {
  readonly mode: 'reload';
  /** Folder of the include files, one `<upstream>.conf` each. */
  readonly includeDir: string;
  readonly nginxBinary: string;
  /** The translated configuration that `nginx -t` checks. */
  readonly configPath: string;
  /** nginx's `-p`. */
  readonly prefix?: string;
  /** nginx's `-g`. */
  readonly globalDirectives?: string;
  /** The nginx master that gets HUP; the engine ends when it is gone. */
  readonly masterPid?: number;
  /** The master's pid file, read before each reload; used when there is no `masterPid`. */
  readonly pidPath?: string;
  /** At most one reload in this time, trailing edge. Milliseconds. @default 1000 */
  readonly reloadIntervalMs: number;
  /** The texts that answer `upstream_show`: where they are kept, and all upstreams of the http block as shown at the start. */
  readonly show?: { readonly folder: string; readonly upstreams: readonly ShownUpstream[] };
}

export type NginxWiring = WorkersWiring | ReloadWiring;
export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

/** Where the admin API listens. */
export interface AdminListen {
  readonly host: string;
  /** 0 takes a free port. */
  readonly port: number;
}

/** Everything the engine process needs, as the file named by its first argument. Read again at HUP. */
export interface EngineConfig {
  readonly plans: readonly UpstreamPlan[];
  /** Left out: lists are kept in their dump files only. */
  readonly nginx?: NginxWiring;
  /** Unix socket on which the engine answers `GET /status` for `upsync show`. */
  readonly statusSocket?: string;
  readonly admin?: AdminListen;
  /** The mass removal guard. @default off */
  readonly guard?: { readonly minKeep: number; readonly holdMs: number };
  /** @default 'info' */
  readonly logLevel: LogLevel;
}

const count = (max: number) => z.number().int().min(0).max(max);
const duration = count(MAX_DURATION_MS);
const path = z.string().min(1).max(4096);
const pid = z.number().int().min(2);

const serverSchema = z.strictObject({
  address: z.string().min(1).max(300),
  weight: z.number().int().min(1).max(MAX_WEIGHT),
  maxFails: count(2 ** 31 - 1),
  failTimeoutMs: duration,
  down: z.boolean(),
  backup: z.boolean(),
  maxConns: count(2 ** 31 - 1),
  slowStartMs: duration,
  drain: z.boolean(),
});

const sourceSchema = z.strictObject({
  type: z.enum(['consul', 'consul_services', 'consul_health', 'etcd', 'file']),
  addresses: z.array(z.string()),
  path: z.string(),
  intervalMs: duration,
  timeoutMs: duration,
  token: z.string().optional(),
  tokenFile: z.string().optional(),
  tls: z
    .strictObject({
      ca: z.string().optional(),
      cert: z.string().optional(),
      key: z.string().optional(),
      serverName: z.string().optional(),
    })
    .optional(),
  dc: z.string().optional(),
  tags: z.array(z.string()).optional(),
  filter: z.string().optional(),
  passing: z.boolean().optional(),
  consistency: z.enum(['default', 'stale', 'consistent']).optional(),
  cached: z.boolean().optional(),
  useWeights: z.boolean().optional(),
});

const planSchema = z.strictObject({
  name: z.string().min(1),
  source: sourceSchema,
  strongDependency: z.boolean(),
  allowEmpty: z.boolean(),
  dumpPath: path,
  balancer: z.strictObject({
    method: z.enum(METHODS),
    seed: z.number(),
    loadFactor: z.number().min(1),
  }),
  slowStartMs: duration.optional(),
  initial: z.array(serverSchema),
  where: z.string(),
});

const nginxSchema = z.discriminatedUnion('mode', [
  z.strictObject({ mode: z.literal('workers'), controlSocket: path, masterPid: pid.optional() }),
  z.strictObject({
    mode: z.literal('reload'),
    includeDir: path,
    nginxBinary: path,
    configPath: path,
    prefix: path.optional(),
    globalDirectives: z.string().optional(),
    masterPid: pid.optional(),
    pidPath: path.optional(),
    reloadIntervalMs: duration.default(1000),
    show: z
      .strictObject({
        folder: path,
        upstreams: z.array(z.strictObject({ name: z.string(), lines: z.array(z.string()) })),
      })
      .optional(),
  }),
]);

const engineSchema = z.strictObject({
  plans: z.array(planSchema),
  nginx: nginxSchema.optional(),
  statusSocket: path.optional(),
  admin: z.strictObject({ host: z.string().min(1), port: count(65_535) }).optional(),
  guard: z.strictObject({ minKeep: z.number().min(0).max(1), holdMs: duration }).optional(),
  logLevel: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
});

/**
 * Reads the engine's configuration, refusing anything that is not exactly what `writeEngineConfig` writes.
 * @throws {UpsyncError} ENGINE_CONFIG when the file cannot be read, is no JSON, or has a wrong or unknown field.
 */
export async function readEngineConfig(file: string): Promise<EngineConfig> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    throw configError(`cannot read the engine configuration ${file}: ${errorText(error)}`, error);
  }
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch {
    // The parser's own message quotes the text, which may hold a token.
    throw configError(`the engine configuration ${file} is no JSON`);
  }
  return parseEngineConfig(data, file);
}

/**
 * Checks data that should be an engine configuration.
 * @throws {UpsyncError} ENGINE_CONFIG naming the first wrong field; values are not quoted since some are secrets.
 */
export function parseEngineConfig(data: unknown, where: string): EngineConfig {
  const result = engineSchema.safeParse(data);
  if (!result.success) {
    const issue = result.error.issues[0]!;
    throw configError(
      `the engine configuration ${where} is wrong at ${issue.path.join('.')}: ${issue.message}`,
    );
  }
  const names = new Set<string>();
  for (const { name } of result.data.plans) {
    if (names.has(name))
      throw configError(`the engine configuration ${where} has the upstream "${name}" twice`);
    names.add(name);
  }
  return result.data;
}

/** Writes the configuration so that readers see the old or the new file, never half of one. Mode 0600: it holds tokens. */
export async function writeEngineConfig(file: string, config: EngineConfig): Promise<void> {
  const temporary = `${file}.${process.pid}.tmp`;
  await rm(temporary, { force: true });
  await writeFile(temporary, JSON.stringify(config), { mode: 0o600, flag: 'wx' });
  await chmod(temporary, 0o600);
  await rename(temporary, file);
}

function configError(message: string, cause?: unknown): UpsyncError {
  return new UpsyncError('ENGINE_CONFIG', message, cause === undefined ? undefined : { cause });
}
