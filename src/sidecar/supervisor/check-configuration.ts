import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { errorText } from '../../upstream/errors.ts';
import { RuntimeDirectory } from '../../upsync/nginx/runtime-directory.ts';
import type { NginxBinary } from '../nginx-binary.ts';
import type { NginxArguments } from './arguments.ts';
import { dumpConfiguration } from './dump-configuration.ts';
import type { MainPaths } from './main-paths.ts';
import { nginxArguments } from './nginx-arguments.ts';
import { prepare } from './preparation.ts';
import { runtimeIn } from './runtime.ts';
import { type TestResult, testConfiguration } from './test-configuration.ts';

/**
 * `-t` and `-T`: translates into a folder of its own, lets nginx check that, and says what nginx says, in terms of the
 * user's files. `-T` prints the user's files, not the translation: `upsync render` prints that. Returns the exit code.
 */
export async function checkConfiguration(
  nginx: NginxBinary,
  args: NginxArguments,
  paths: MainPaths,
): Promise<number> {
  const result = await judge(nginx, args, paths);
  process.stderr.write(result.output);
  if (result.ok && args.dump) process.stdout.write(dumpConfiguration(paths.main));
  return result.ok ? 0 : 1;
}

/** The verdict of our translator and of nginx; the output is as nginx prints it. */
export async function judge(nginx: NginxBinary, args: NginxArguments, paths: MainPaths): Promise<TestResult> {
  const folder = mkdtempSync(path.join(tmpdir(), 'upsync-test-'));
  try {
    const runtime = runtimeIn(path.join(folder, 'run'));
    const directory = new RuntimeDirectory(runtime.folder);
    const preparation = await prepare({
      nginx,
      args,
      paths,
      runtime,
      directory,
      lists: async () => new Map(),
      signal: new AbortController().signal,
    });
    const warnings = preparation.warnings.map((text) => `nginx: [warn] ${text}\n`).join('');
    const words = nginxArguments(args, {
      configPath: preparation.testPath,
      pidFile: runtime.nginxPid,
      daemon: false,
    });
    const flags = args.quiet ? ['-q'] : [];
    const { ok, output } = await testConfiguration(nginx.path, [...flags, ...words], runtime.scratch);
    return { ok, output: warnings + preparation.toUserPaths(output) };
  } catch (error) {
    const reasons = errorText(error)
      .split('\n')
      .map((reason) => `nginx: [emerg] ${reason}\n`);
    return { ok: false, output: `${reasons.join('')}nginx: configuration file ${paths.main} test failed\n` };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
