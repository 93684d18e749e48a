import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { openSource } from '../../discovery/open.ts';
import { errorText, UpsyncError } from '../../upstream/errors.ts';
import type { Translation } from '../../upsync/nginx/translation.ts';
import { findNginx, type NginxBinary } from '../nginx-binary.ts';
import type { NginxArguments } from '../supervisor/arguments.ts';
import { judge } from '../supervisor/check-configuration.ts';
import { mainPaths, type MainPaths, misplacedConf } from '../supervisor/main-paths.ts';
import { translateOnly } from '../supervisor/preparation.ts';
import { runtimeBase, runtimeFor } from '../supervisor/runtime.ts';
import { isRunning, readState } from '../supervisor/state-file.ts';
import { checkRegistry } from './check-registry.ts';
import type { Finding } from './finding.ts';

/** Tries everything `upsync nginx` will need, without touching what runs. */
export async function checkAll(args: NginxArguments, env: NodeJS.ProcessEnv): Promise<readonly Finding[]> {
  const nginx = await findNginx(env);
  if (!nginx)
    return [
      {
        verdict: 'bad',
        what: 'nginx',
        detail: 'not found on PATH or in the usual folders',
        remedy: 'apt-get install nginx libnginx-mod-http-lua, or name it with UPSYNC_NGINX',
      },
    ];
  const paths = mainPaths(nginx, args);
  const findings: Finding[] = [
    { verdict: 'good', what: 'nginx', detail: `${nginx.name} (${nginx.path})` },
    checkLua(nginx),
    checkRuntime(paths, env),
  ];
  let translation: Translation;
  try {
    translation = await translateOnly(nginx, args, paths);
  } catch (error) {
    findings.push({
      verdict: 'bad',
      what: 'configuration',
      detail: errorText(error),
      remedy: misplacedConf(args, paths) ?? remedyOf(error),
    });
    return findings;
  }
  findings.push(describeConfiguration(translation, paths), ...(await checkNginxTest(nginx, args, paths)));
  const { plans } = translation;
  findings.push(
    ...(await Promise.all(plans.map((plan) => checkRegistry(plan, (one) => openSource(one.source))))),
  );
  return [...findings, ...plans.map(({ name, dumpPath }) => checkDump(name, dumpPath))];
}

function checkLua({ lua }: NginxBinary): Finding {
  const what = 'Lua module';
  if (lua.kind === 'static')
    return { verdict: 'good', what, detail: 'built in: lists change without a reload' };
  if (lua.kind === 'dynamic')
    return { verdict: 'good', what, detail: `${lua.modules.join(', ')}: lists change without a reload` };
  return {
    verdict: 'warning',
    what,
    detail: 'not found: each change of a list reloads nginx, at most once a second',
    remedy: 'apt-get install libnginx-mod-http-lua (Debian, Ubuntu); OpenResty has it built in',
  };
}

function checkRuntime({ main, prefix }: MainPaths, env: NodeJS.ProcessEnv): Finding {
  const what = 'runtime directory';
  const base = runtimeBase(env);
  try {
    const runtime = runtimeFor(base, main, prefix);
    const state = readState(runtime.state);
    const running = state && isRunning(state.supervisor) ? `, in use by pid ${state.supervisor.pid}` : '';
    accessSync(nearestFolder(runtime.folder), constants.W_OK | constants.X_OK);
    return { verdict: 'good', what, detail: `${runtime.folder}${running}` };
  } catch (error) {
    return {
      verdict: 'bad',
      what,
      detail: errorText(error),
      remedy: 'name another one with UPSYNC_RUNTIME_DIR',
    };
  }
}

function remedyOf(error: unknown): string {
  return error instanceof UpsyncError && error.code === 'CONFIG_UNREADABLE'
    ? 'name the configuration with -c, or make the file readable for this user'
    : 'correct the line named; docs/directives.md has the grammar';
}

function count(number: number, word: string): string {
  return `${number} ${word}${number === 1 ? '' : 's'}`;
}

function describeConfiguration({ plans, files, warnings }: Translation, { main }: MainPaths): Finding {
  const what = 'configuration';
  const counted = `${main}: ${count(plans.length, 'upstream')} to keep in step, ${count(files.length, 'file')} changed by the translation`;
  const detail = [counted, ...warnings].join('\n');
  if (plans.length === 0)
    return { verdict: 'warning', what, detail, remedy: 'add an upsync directive to an upstream' };
  return { verdict: warnings.length > 0 ? 'warning' : 'good', what, detail };
}

async function checkNginxTest(
  nginx: NginxBinary,
  args: NginxArguments,
  paths: MainPaths,
): Promise<Finding[]> {
  const { ok, output } = await judge(nginx, args, paths);
  const detail = output.trim();
  if (ok) return [{ verdict: 'good', what: 'nginx -t', detail }];
  return [{ verdict: 'bad', what: 'nginx -t', detail, remedy: 'correct the line named' }];
}

function checkDump(name: string, file: string): Finding {
  const what = `dump of ${name}`;
  const folder = path.dirname(file);
  try {
    accessSync(folder, constants.W_OK | constants.X_OK);
    const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n').filter(Boolean).length : 0;
    return { verdict: 'good', what, detail: `${file}: ${count(lines, 'server')} kept` };
  } catch (error) {
    return {
      verdict: 'bad',
      what,
      detail: existsSync(folder) ? errorText(error) : `the folder ${folder} does not exist`,
      remedy: `make ${folder} a folder this user may write to, or choose another upsync_dump_path`,
    };
  }
}

function nearestFolder(folder: string): string {
  return existsSync(folder) ? folder : nearestFolder(path.dirname(folder));
}
