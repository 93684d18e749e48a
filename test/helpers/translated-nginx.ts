import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { onTestFinished } from 'vitest';
import { encodeBoot } from '../../src/upsync/nginx/wire.ts';
import { RuntimeDirectory } from '../../src/upsync/nginx/runtime-directory.ts';
import { translate } from '../../src/upsync/nginx/translate.ts';
import type { TranslateOptions, Translation } from '../../src/upsync/nginx/translation.ts';
import { compiledWorker, until } from './lua-nginx.ts';
import { scratchFolder } from './scratch-folder.ts';
import { DEBIAN_LUA, translateOptions } from './translate-options.ts';

/** A translation on disk, as nginx would find it. */
export interface Translated {
  readonly translation: Translation;
  readonly runtime: RuntimeDirectory;
  /** Main file for `-c`. */
  readonly config: string;
  readonly folder: string;
}

/** Translates `nginx.conf` of a folder and writes it down; real module, real worker code. */
export async function translated(folder: string, more: Partial<TranslateOptions> = {}): Promise<Translated> {
  const parent = scratchFolder();
  // The workers are another user when nginx starts as root.
  chmodSync(parent, 0o711);
  const runtime = new RuntimeDirectory(path.join(parent, 'run'));
  const bootFile = path.join(runtime.privateFolder, 'boot');
  const controlSocket = path.join(runtime.privateFolder, 'control.sock');
  const mode = { kind: 'workers', luaFile: compiledWorker(), bootFile, controlSocket } as const;
  const translation = await translate(
    translateOptions(folder, { lua: DEBIAN_LUA, mode, takeOut: ['daemon', 'pid'], ...more }),
  );
  writeFileSync(bootFile, encodeBoot(translation.boot));
  runtime.write(translation).activate();
  return { translation, runtime, config: runtime.mainFile(translation.main), folder };
}

/** What `nginx -t` says of it, in the user's own paths. */
export function testConfig({ runtime, config, folder }: Translated): Promise<{ ok: boolean; text: string }> {
  const args = ['-t', '-q', '-c', config, '-p', folder, '-g', globals(folder)];
  return new Promise((resolve) => {
    execFile('nginx', args, (error, stdout, stderr) =>
      resolve({ ok: error === null, text: runtime.mapBack(stdout + stderr) }),
    );
  });
}

/** Runs it until the test ends. Resolves when it has workers. */
export async function runNginx(one: Translated): Promise<{ readonly errors: () => string }> {
  const log = path.join(one.folder, 'error.log');
  const args = ['-c', one.config, '-p', one.folder, '-e', log, '-g', `daemon off; ${globals(one.folder)}`];
  const child: ChildProcess = spawn('nginx', args, { stdio: 'ignore' });
  const gone = new Promise((resolve) => child.once('exit', resolve));
  onTestFinished(async () => {
    child.kill('SIGTERM');
    await gone;
  });
  const errors = (): string => (existsSync(log) ? readFileSync(log, 'utf8') : '');
  await until(() => {
    if (child.exitCode !== null) throw new Error(`nginx ended:\n${errors()}`);
    const children = `/proc/${child.pid}/task/${child.pid}/children`;
    return (
      existsSync(children) &&
      readFileSync(children, 'utf8').trim() !== '' &&
      existsSync(path.join(one.folder, 'nginx.pid'))
    );
  });
  return { errors };
}

function globals(folder: string): string {
  return `pid ${folder}/nginx.pid;`;
}
