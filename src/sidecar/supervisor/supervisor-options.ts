import type { Logger } from '../../upstream/logger.ts';
import type { NginxBinary } from '../nginx-binary.ts';
import type { NginxArguments } from './arguments.ts';
import type { Preparation } from './preparation.ts';
import type { Runtime } from './runtime.ts';
import type { ListsFor } from './start-lists.ts';

/** What a supervisor is given. */
export interface SupervisorOptions {
  readonly nginx: NginxBinary;
  readonly args: NginxArguments;
  readonly runtime: Runtime;
  /** nginx detaches as well. */
  readonly daemon: boolean;
  /** nginx's main error log is a file, to which it also leads its standard error once it runs. */
  readonly logsToFile: boolean;
  /** Reads and translates the user's configuration, as it is now. */
  readonly prepare: (signal: AbortSignal) => Promise<Preparation>;
  /** The last good lists. */
  readonly lastLists: ListsFor;
  readonly engineProgram: string;
  readonly engineStderr: () => number | 'inherit';
  readonly logger: Logger;
  /** Takes nginx's own messages. */
  readonly print: (text: string) => void;
  /** Opens our own log file again; true when the engine writes to that file as well. */
  readonly reopenLog: () => boolean;
}
