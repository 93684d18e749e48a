import { Command } from 'commander';
import { runDemo } from '../demo/demo.ts';
import type { CliContext } from './command.ts';

/** `upsync demo`, which is `npm start`. */
export function demoCommand(context: CliContext): Command {
  return new Command('demo')
    .description(
      'Starts the embedded registry, small backends and nginx on this machine, and says what to try.',
    )
    .addHelpText('after', '\nExample: upsync demo')
    .action(async () => {
      context.exitCode = await runDemo(context.signal, (text) => context.stdout(`${text}\n`));
    });
}
