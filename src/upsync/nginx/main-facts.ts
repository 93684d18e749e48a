import path from 'node:path';
import { ConfigError } from '../config-error.ts';
import { toBytes, toText } from './config/bytes.ts';
import { type Directive, parseConfig } from './config/parse.ts';
import type { NginxFacts, TranslateOptions } from './translation.ts';

/** nginx takes these once only, `-g` included. */
const ONCE: ReadonlySet<string> = new Set(['pid', 'daemon', 'user', 'worker_processes', 'master_process']);

/**
 * Collects what the main context says of how nginx runs. `-g` is read before the file, as in nginx.
 * @throws {ConfigError} CONFIG_INVALID when `-g` does not parse or a directive stands twice.
 */
export class MainFacts {
  readonly #options: TranslateOptions;
  readonly #seen = new Map<string, Directive>();
  /** The modules that `-g` loads, which nginx does not load twice. */
  readonly commandLineModules: readonly Directive[];

  constructor(options: TranslateOptions) {
    this.#options = options;
    const given = commandLine(options.globalDirectives ?? '');
    this.commandLineModules = given.filter(({ name }) => name === 'load_module');
    for (const directive of given) this.add(directive);
  }

  /** A directive of the main context. */
  add(directive: Directive): void {
    if (!ONCE.has(directive.name)) return;
    if (this.#seen.has(directive.name))
      throw new ConfigError(`"${directive.name}" directive is duplicate`, directive);
    this.#seen.set(directive.name, directive);
  }

  facts(): NginxFacts {
    const { prefix, main, defaultPid } = this.#options;
    const user = this.#value('user');
    const group = this.#value('user', 1);
    return {
      prefix,
      confFolder: path.dirname(main),
      pid: path.resolve(prefix, this.#value('pid') ?? defaultPid),
      daemon: this.#value('daemon')?.toLowerCase() !== 'off',
      masterProcess: this.#value('master_process')?.toLowerCase() !== 'off',
      ...(user === undefined ? {} : { user }),
      ...(group === undefined ? {} : { group }),
      workerProcesses: this.#value('worker_processes') ?? '1',
    };
  }

  #value(name: string, index = 0): string | undefined {
    const word = this.#seen.get(name)?.args[index];
    return word === undefined ? undefined : toText(word.value);
  }
}

function commandLine(text: string): readonly Directive[] {
  try {
    return parseConfig(toBytes(text), 'command line').directives;
  } catch (error) {
    if (!(error instanceof ConfigError) || !error.message.startsWith('unexpected end of file')) throw error;
    const plain = new ConfigError('', error, { cause: error });
    // nginx's own words, and no line: there is only one.
    plain.message = 'unexpected end of parameter, expecting ";" in command line';
    throw plain;
  }
}
