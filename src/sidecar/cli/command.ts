import type { Command } from 'commander';

/** What a command may touch of the process: tests give their own. */
export interface CliContext {
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
  readonly env: NodeJS.ProcessEnv;
  /** Aborted by INT or TERM: a command that stays up ends in order. */
  readonly signal: AbortSignal;
  /** What the program ends with when the command returned. @default 0 */
  exitCode: number;
}

/** One command of the program. Its code is loaded only when it is asked for. */
export interface CommandEntry {
  readonly name: string;
  readonly summary: string;
  readonly load: () => Promise<(context: CliContext) => Command>;
}
