import { Command, CommanderError } from 'commander';
import { errorText, UpsyncError } from '../../upstream/errors.ts';
import type { CliContext, CommandEntry } from './command.ts';
import { COMMANDS } from './commands.ts';
import { programVersion } from './program-version.ts';

const USAGE = 2;
const FAILED = 1;

/**
 * Runs one command line and resolves with the exit code: 0, 1 when the command failed, 2 when the command line is wrong.
 * Every failure is one clear sentence on standard error.
 */
export async function runProgram(
  words: readonly string[],
  context: CliContext = processContext(),
  commands: readonly CommandEntry[] = COMMANDS,
): Promise<number> {
  const program = new Command('upsync')
    .description('Keeps nginx upstreams, Node services and names in step with a registry, without a reload.')
    .version(programVersion(), '-V, --version')
    .exitOverride()
    .showSuggestionAfterError()
    .configureOutput({
      writeOut: context.stdout,
      writeErr: context.stderr,
      outputError: (text, write) => write(text.replace(/^error: /, 'upsync: ')),
    })
    .addHelpText('after', '\nExample: upsync nginx -c /etc/nginx/nginx.conf\nExample: upsync show --help');
  const wanted = words[0] === 'help' ? words[1] : words[0];
  for (const { name, summary, load } of commands) {
    if (name === wanted) program.addCommand((await load())(context).copyInheritedSettings(program));
    else program.command(name).description(summary);
  }
  const known = commands.some(({ name }) => name === wanted);
  try {
    if (words.length === 0) program.help({ error: true });
    // Commander would answer "help nope" with the whole help and no word about "nope".
    const asked = words[0] === 'help' && wanted !== undefined && !known ? [wanted] : words;
    await program.parseAsync([...asked], { from: 'user' });
    return context.exitCode;
  } catch (error) {
    const code = exitCodeOf(error);
    // Commander has printed its own errors, and ends this way after --help and --version as well.
    if (!(error instanceof CommanderError))
      for (const line of explain(error)) context.stderr(`upsync: ${line}\n`);
    if (code === USAGE && (error as CommanderError).code !== 'commander.help')
      context.stderr(`upsync: see "upsync ${known ? `${wanted} ` : ''}--help", which ends with an example\n`);
    return code;
  }
}

function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : USAGE;
  return error instanceof UpsyncError && error.code === 'USAGE' ? USAGE : FAILED;
}

function explain(error: unknown): readonly string[] {
  const {
    code,
    address,
    port,
    path: file,
  } = error as NodeJS.ErrnoException & { address?: string; port?: number };
  if (code === 'EADDRINUSE')
    return [
      `${address ?? '*'}:${port ?? '?'} is in use by another process: choose another address or end that process`,
    ];
  if (code === 'EACCES' && file !== undefined) return [`no permission for ${file}`];
  return errorText(error).split('\n');
}

function processContext(): CliContext {
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => stop.abort(new Error(`stopped by ${signal}`)));
  return {
    stdout: (text) => void process.stdout.write(text),
    stderr: (text) => void process.stderr.write(text),
    env: process.env,
    signal: stop.signal,
    exitCode: 0,
  };
}
