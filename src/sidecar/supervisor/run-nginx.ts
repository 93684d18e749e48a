import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { errorText, UpsyncError } from '../../upstream/errors.ts';
import { type NginxBinary, PROBE_VARIABLE, requireNginx } from '../nginx-binary.ts';
import { NGINX_HELP, type NginxArguments, parseNginxArguments } from './arguments.ts';
import { type MainPaths, mainPaths } from './main-paths.ts';

/** This program under the name of nginx, for a daemon to run itself again. */
const PROGRAM = fileURLToPath(new URL('../nginx.js', import.meta.url));

/**
 * `upsync nginx`: does what nginx does with these arguments, upsync directives included. Resolves with the exit code.
 * Loads as little as it can: nginx should listen at once.
 */
export async function runNginx(words: readonly string[]): Promise<number> {
  if (process.env[PROBE_VARIABLE] !== undefined) {
    complain('upsync: this is upsync under the name of nginx: name the real one with UPSYNC_NGINX');
    return 1;
  }
  if (words.length === 1 && words[0] === '--help') {
    process.stdout.write(NGINX_HELP);
    return 0;
  }
  try {
    const args = parseNginxArguments(words);
    if (args.help) process.stderr.write(NGINX_HELP);
    const nginx = args.help && !args.test ? undefined : await requireNginx();
    if (!nginx) return 0;
    if (args.version || args.build) {
      const code = await runReal(nginx, [args.build ? '-V' : '-v']);
      if (!args.test) return code;
    }
    return await act(nginx, args, words);
  } catch (error) {
    // nginx's own form, which tools that run nginx look for.
    const level = error instanceof UpsyncError && error.code === 'NGINX_USAGE' ? '' : '[emerg] ';
    for (const reason of errorText(error).split('\n')) complain(`nginx: ${level}${reason}`);
    return 1;
  }
}

async function act(nginx: NginxBinary, args: NginxArguments, words: readonly string[]): Promise<number> {
  const paths = mainPaths(nginx, args);
  if (args.test) return (await import('./check-configuration.ts')).checkConfiguration(nginx, args, paths);
  if (args.signal === undefined)
    return (await import('./start-nginx.ts')).startNginx({ nginx, args, paths, words, program: PROGRAM });
  if (args.signal === 'reload' && !(await mayReload(nginx, args, paths))) return 1;
  const [{ sendSignal }, { readMainContext }] = await Promise.all([
    import('./send-signal.ts'),
    import('./main-context.ts'),
  ]);
  return sendSignal(args.signal, readMainContext(nginx, args, paths).pidPath, complain);
}

// nginx as well reads the whole configuration before it signals, and scripts go by its exit code. Ending nginx must be
// possible with a broken one, so nothing else is checked.
async function mayReload(nginx: NginxBinary, args: NginxArguments, paths: MainPaths): Promise<boolean> {
  const { judge } = await import('./check-configuration.ts');
  const { ok, output } = await judge(nginx, { ...args, quiet: true }, paths);
  const said = output.split('\n').filter((line) => line !== '' && !/ test failed$/.test(line));
  for (const line of said) complain(line);
  return ok;
}

function runReal(nginx: NginxBinary, args: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(nginx.path, args, { stdio: 'inherit' });
    child.once('error', reject);
    child.once('exit', (code) => resolve(code ?? 1));
  });
}

function complain(line: string): void {
  process.stderr.write(`${line}\n`);
}
