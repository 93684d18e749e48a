import { readFileSync } from 'node:fs';
import path from 'node:path';
import { ConfigError, ConfigErrors } from '../../config-error.ts';
import { toText } from './bytes.ts';
import { expandGlob, isGlob } from './glob.ts';
import { type ConfigFile, type Directive, parseConfig } from './parse.ts';

/** Deeper nesting of includes can only be a file that includes itself; nginx runs out of file handles there. */
const MAX_DEPTH = 100;
/** Blocks whose lines are data: their words are no directives, and their includes hold data as well. */
const DATA_BLOCKS: ReadonlySet<string> = new Set([
  'types',
  'map',
  'geo',
  'split_clients',
  'charset_map',
  'match',
]);

/** What one `include` brought in. */
export interface Included {
  /** The files, in nginx's order. */
  readonly files: readonly ConfigFile[];
  /** A file could not be read, or (inside an `upstream` only) not be parsed: an error where the include must work. */
  readonly failure?: ConfigError;
}

/** A whole configuration as nginx reads it: the main file and everything it includes. */
export interface LoadedConfig {
  readonly main: ConfigFile;
  /** Folder of the main file, that relative includes belong to. */
  readonly folder: string;
  /** Each file once, by path, the main file first. */
  readonly files: ReadonlyMap<string, ConfigFile>;
  readonly includes: ReadonlyMap<Directive, Included>;
}

/** Where one directive stands. */
export interface Visit {
  readonly directive: Directive;
  /** The file it is written in. */
  readonly file: ConfigFile;
  /** The blocks around it, outermost first, over includes. */
  readonly parents: readonly Directive[];
}

/**
 * Reads a configuration with its includes as nginx would: relative to the main file's folder, patterns in the order of
 * glob(3), a file that is missing where no pattern is used reported at its `include`.
 * @param main absolute path of the main file.
 * @throws {ConfigErrors} every file that does not parse; ConfigError when the main file cannot be read.
 */
export function loadConfig(main: string): LoadedConfig {
  const files = new Map<string, ConfigFile>();
  const includes = new Map<Directive, Included>();
  const errors: ConfigError[] = [];
  const folder = path.posix.dirname(main);

  const read = (file: string): ConfigFile => {
    const known = files.get(file);
    if (known) return known;
    const parsed = parseConfig(readFileSync(file, 'latin1'), file);
    files.set(file, parsed);
    return parsed;
  };
  const follow = (directives: readonly Directive[], depth: number, upstream: boolean): void => {
    for (const directive of directives) {
      if (directive.block && !DATA_BLOCKS.has(directive.name))
        follow(directive.block.directives, depth, upstream || directive.name === 'upstream');
      if (directive.name !== 'include' || directive.block || directive.args.length !== 1) continue;
      if (includes.has(directive)) continue;
      includes.set(directive, include(directive, depth, upstream));
    }
  };
  const include = (directive: Directive, depth: number, upstream: boolean): Included => {
    if (depth >= MAX_DEPTH) {
      errors.push(new ConfigError(`includes are nested more than ${MAX_DEPTH} deep`, directive));
      return { files: [] };
    }
    const target = includeTarget(directive, folder);
    const found: ConfigFile[] = [];
    let failure: ConfigError | undefined;
    for (const file of isGlob(target) ? expandGlob(target) : [target]) {
      try {
        const parsed = read(file);
        found.push(parsed);
        follow(parsed.directives, depth + 1, upstream);
      } catch (error) {
        // A list of servers may be half written or gone; whether that matters depends on the upstream.
        if (!(error instanceof ConfigError)) failure ??= openError(file, error, directive);
        else if (upstream) failure ??= error;
        else errors.push(error);
      }
    }
    return failure ? { files: found, failure } : { files: found };
  };

  let mainFile: ConfigFile;
  try {
    mainFile = read(main);
  } catch (error) {
    if (error instanceof ConfigError) throw new ConfigErrors([error]);
    throw openError(main, error, { file: main, line: 0 });
  }
  follow(mainFile.directives, 0, false);
  if (errors.length > 0) throw new ConfigErrors(unique(errors));
  return { main: mainFile, folder, files, includes };
}

/** Absolute path or pattern that an `include` names. */
export function includeTarget(directive: Directive, folder: string): string {
  const value = toText(directive.args[0]!.value);
  // As text: nginx puts the two together without resolving "..", which may lead through a symbolic link.
  return value.startsWith('/') ? value : `${folder === '/' ? '' : folder}/${value}`;
}

/**
 * Every directive in the order in which nginx meets it, includes followed, data blocks (`map`, `types` …) passed over. An
 * `include` itself is visited before what it brings in.
 */
export function* visit(config: LoadedConfig): Generator<Visit> {
  yield* visitAll(config, config.main, config.main.directives, []);
}

/** As `visit`, for the inside of one block. */
export function visitBlock(config: LoadedConfig, { directive, file, parents }: Visit): Generator<Visit> {
  return visitAll(config, file, directive.block?.directives ?? [], [...parents, directive]);
}

function* visitAll(
  config: LoadedConfig,
  file: ConfigFile,
  directives: readonly Directive[],
  parents: readonly Directive[],
): Generator<Visit> {
  for (const directive of directives) {
    yield { directive, file, parents };
    const included = config.includes.get(directive);
    for (const inner of included?.files ?? []) yield* visitAll(config, inner, inner.directives, parents);
    if (directive.block && !DATA_BLOCKS.has(directive.name))
      yield* visitAll(config, file, directive.block.directives, [...parents, directive]);
  }
}

// The words of nginx: open() "/etc/nginx/x" failed (2: No such file or directory) in /etc/nginx/nginx.conf:12
function openError(file: string, error: unknown, place: { file: string; line: number }): ConfigError {
  const { code = '', errno = 0, syscall = 'open' } = error as NodeJS.ErrnoException;
  const words: Readonly<Record<string, string>> = {
    ENOENT: 'No such file or directory',
    EACCES: 'Permission denied',
    EISDIR: 'Is a directory',
    ENOTDIR: 'Not a directory',
    ELOOP: 'Too many levels of symbolic links',
  };
  const reason = `${syscall}() "${file}" failed (${Math.abs(errno)}: ${words[code] ?? code})`;
  const text = new ConfigError(reason, place, { cause: error, code: 'CONFIG_UNREADABLE' });
  // nginx names no place when the main file itself cannot be opened.
  if (place.line === 0) text.message = reason;
  return text;
}

function unique(errors: readonly ConfigError[]): ConfigError[] {
  return [...new Map(errors.map((error) => [error.message, error])).values()];
}
