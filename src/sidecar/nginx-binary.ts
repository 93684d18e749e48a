import { execFile } from 'node:child_process';
import { accessSync, constants, existsSync, realpathSync, statSync } from 'node:fs';
import path from 'node:path';
import { UpsyncError } from '../upstream/errors.ts';

/** How this nginx can run Lua. `dynamic`: the modules are files to load, in this order. */
export type LuaSupport =
  | { readonly kind: 'static' }
  | { readonly kind: 'dynamic'; readonly modules: readonly string[] }
  | { readonly kind: 'absent' };

/** An nginx of this machine and what it says about itself. Paths are as compiled in: relative ones belong to the prefix. */
export interface NginxBinary {
  readonly path: string;
  /** `nginx/1.22.1` or `openresty/1.21.4.1`. */
  readonly name: string;
  /** `1.22.1`. */
  readonly version: string;
  readonly prefix: string;
  readonly confPath: string;
  readonly pidPath: string;
  /** `stderr` means standard error. */
  readonly errorLogPath: string;
  readonly modulesPath: string;
  readonly lua: LuaSupport;
}

/** Set for the program that is asked whether it is nginx: if that program is ours, it must not search in turn. */
export const PROBE_VARIABLE = 'UPSYNC_PROBE';

const USUAL_FOLDERS = [
  '/usr/sbin',
  '/usr/local/sbin',
  '/usr/local/nginx/sbin',
  '/usr/local/openresty/nginx/sbin',
  '/usr/bin',
  '/usr/local/bin',
];
// An nginx that hangs when asked for its version is no nginx.
const PROBE_TIMEOUT_MS = 5000;

/**
 * Finds the real nginx: `UPSYNC_NGINX`, else the first one on PATH or in the usual folders that says it is nginx. Our own
 * program under the name `nginx` is passed over. Undefined when there is none.
 * @throws {UpsyncError} NGINX_NOT_FOUND when UPSYNC_NGINX names something that is not nginx.
 */
export async function findNginx(env: NodeJS.ProcessEnv = process.env): Promise<NginxBinary | undefined> {
  const named = env['UPSYNC_NGINX'];
  if (named !== undefined && named !== '') {
    const runs = isExecutable(named);
    const nginx = runs ? await probe(named, env) : undefined;
    if (nginx) return nginx;
    const why = runs ? 'does not say that it is nginx' : 'is no program that can be run';
    throw new UpsyncError('NGINX_NOT_FOUND', `UPSYNC_NGINX names ${JSON.stringify(named)}, which ${why}`);
  }
  const onPath = (env['PATH'] ?? '').split(':').filter((folder) => folder.startsWith('/'));
  const seen = new Set<string>();
  for (const folder of [...onPath, ...USUAL_FOLDERS]) {
    const file = path.join(folder, 'nginx');
    if (!isExecutable(file)) continue;
    const real = realpathSync(file);
    if (seen.has(real) || isOurselves(real)) continue;
    seen.add(real);
    const nginx = await probe(file, env);
    if (nginx) return nginx;
  }
  return undefined;
}

/**
 * As `findNginx`, for those who cannot go on without.
 * @throws {UpsyncError} NGINX_NOT_FOUND when there is none, naming where it was looked for and what to install.
 */
export async function requireNginx(env: NodeJS.ProcessEnv = process.env): Promise<NginxBinary> {
  const nginx = await findNginx(env);
  if (nginx) return nginx;
  throw new UpsyncError(
    'NGINX_NOT_FOUND',
    `no nginx on this machine: looked on PATH and in ${USUAL_FOLDERS.join(', ')}. ` +
      'Install it (Debian, Ubuntu: apt-get install nginx libnginx-mod-http-lua) or name it with UPSYNC_NGINX',
  );
}

/** Reads what `nginx -V` prints; undefined when it is not nginx that speaks. */
export function parseVersionText(
  file: string,
  text: string,
  exists: (file: string) => boolean = existsSync,
): NginxBinary | undefined {
  const name = /^nginx version: (\S+)/m.exec(text)?.[1];
  if (name === undefined) return undefined;
  // Tengine and others print a second line with the nginx they are made from.
  const version = /(\d+\.\d+\.\d+)/.exec(/^nginx version: nginx\/(\S+)/m.exec(text)?.[1] ?? name)?.[1];
  // Words may hold quoted parts, such as the options of the compiler, which have options of their own.
  const words = /^configure arguments:(.*)$/m.exec(text)?.[1]?.match(/(?:'[^']*'|[^\s'])+/g) ?? [];
  const argument = (option: string): string | undefined =>
    words
      .find((word) => word.startsWith(`--${option}=`))
      ?.slice(option.length + 3)
      .replaceAll("'", '');
  const prefix = argument('prefix') ?? '/usr/local/nginx';
  const modulesPath = path.resolve(prefix, argument('modules-path') ?? 'modules');
  return {
    path: file,
    name,
    version: version ?? '0.0.0',
    prefix,
    confPath: argument('conf-path') ?? 'conf/nginx.conf',
    pidPath: argument('pid-path') ?? 'logs/nginx.pid',
    errorLogPath: argument('error-log-path') ?? 'logs/error.log',
    modulesPath,
    lua: findLua(text, modulesPath, exists),
  };
}

function findLua(text: string, modulesPath: string, exists: (file: string) => boolean): LuaSupport {
  if (/--add-module=\S*(lua-nginx-module|ngx_lua)/.test(text)) return { kind: 'static' };
  const lua = path.join(modulesPath, 'ngx_http_lua_module.so');
  if (!exists(lua)) return { kind: 'absent' };
  // The development kit may be a module file of its own, or compiled in.
  const kit = path.join(modulesPath, 'ndk_http_module.so');
  return { kind: 'dynamic', modules: exists(kit) ? [kit, lua] : [lua] };
}

function probe(file: string, env: NodeJS.ProcessEnv): Promise<NginxBinary | undefined> {
  const options = { timeout: PROBE_TIMEOUT_MS, env: { ...env, [PROBE_VARIABLE]: '1' } };
  return new Promise((resolve) => {
    execFile(file, ['-V'], options, (error, stdout, stderr) =>
      resolve(error ? undefined : parseVersionText(file, `${stdout}${stderr}`)),
    );
  });
}

function isOurselves(real: string): boolean {
  const script = process.argv[1];
  if (script === undefined) return false;
  const own = existsSync(script) ? realpathSync(script) : script;
  // Both our programs lie in one folder: dist/sidecar/main.js and dist/sidecar/nginx.js.
  return real === own || (path.dirname(real) === path.dirname(own) && real.endsWith('.js'));
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}
