import { MAX_DURATION_MS, nginxTime } from '../upstream/duration.ts';
import { UpsyncError } from '../upstream/errors.ts';
import { nearestName } from './nearest-name.ts';

/** Parameters of an `upsync` directive that take a value, `name=value`. */
const WITH_VALUE = [
  'upsync_type',
  'upsync_interval',
  'upsync_timeout',
  'strong_dependency',
  'allow_empty',
  'token',
  'token_file',
  'ca',
  'cert',
  'key',
  'server_name',
  'dc',
  'tag',
  'filter',
  'passing',
  'consistency',
  'cached',
  'use_weights',
  'seed',
  'slow_start',
] as const;

/** Words that stand for a parameter with its value. */
const SHORT: Readonly<Record<string, readonly [ParameterName, string]>> = {
  stale: ['consistency', 'stale'],
  cached: ['cached', 'on'],
};

export type ParameterName = (typeof WITH_VALUE)[number];

/**
 * The parameters of one directive, each read once and by its kind. All readers return undefined for a parameter that was
 * not given and throw BAD_DIRECTIVE, naming the parameter, for a value that does not fit.
 */
export class DirectiveParameters {
  readonly #values = new Map<ParameterName, string[]>();

  /**
   * @throws {UpsyncError} BAD_DIRECTIVE for an unknown parameter (with the nearest known name), one without its value, or
   * one given twice; only `tag` may be repeated.
   */
  constructor(words: readonly string[]) {
    for (const word of words) {
      const [name, value] = SHORT[word] ?? split(word);
      const present = this.#values.get(name);
      if (present === undefined) this.#values.set(name, [value]);
      else if (name === 'tag') present.push(value);
      else throw bad(`duplicate parameter "${name}" in the "upsync" directive`);
    }
  }

  has(name: ParameterName): boolean {
    return this.#values.has(name);
  }

  /** Text that must not be empty and holds no control character. */
  text(name: ParameterName): string | undefined {
    const value = this.#values.get(name)?.[0];
    if (value === undefined) return undefined;

    if (value === '') throw bad(`parameter "${name}" of the "upsync" directive needs a value: ${name}=…`);
    if (/[\x00-\x1f\x7f]/.test(value))
      throw bad(`"${name}" in the "upsync" directive needs a value without control characters`);
    return value;
  }

  texts(name: ParameterName): readonly string[] | undefined {
    const values = this.#values.get(name);
    if (values?.some((value) => value === '')) throw bad(`"${name}" in the "upsync" directive needs a value`);
    return values;
  }

  /** One of some words, exactly. */
  word<T extends string>(name: ParameterName, words: readonly T[]): T | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    const found = words.find((word) => word === value);
    if (found !== undefined) return found;
    const near = nearestName(value, words);
    const hint = near === undefined ? `it must be one of ${words.join(', ')}` : `did you mean "${near}"?`;
    throw bad(`invalid value ${quoted(value)} in "${name}", ${hint}`);
  }

  /** `on` or `off`, in any case, as nginx flags are. */
  flag(name: ParameterName): boolean | undefined {
    const value = this.#values.get(name)?.[0]?.toLowerCase();
    if (value === undefined) return undefined;
    if (value !== 'on' && value !== 'off')
      throw bad(`invalid value ${quoted(value)} in "${name}", it must be "on" or "off"`);
    return value === 'on';
  }

  /** An nginx time in milliseconds, 24.8 days at most. `0` counts as not given, as nginx-upsync-module has it. */
  duration(name: ParameterName): number | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    const ms = nginxTime(value);
    if (ms === undefined)
      throw bad(`invalid value ${quoted(value)} in "${name}", expected a time such as 5s, 500ms or 1h30m`);
    return ms === 0 ? undefined : Math.min(ms, MAX_DURATION_MS);
  }

  /** A whole number of at least 0. */
  count(name: ParameterName): number | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    if (!/^\d{1,10}$/.test(value))
      throw bad(`invalid value ${quoted(value)} in "${name}", expected a whole number`);
    return Number(value);
  }
}

function split(word: string): readonly [ParameterName, string] {
  const equals = word.indexOf('=');
  const typed = equals === -1 ? word : word.slice(0, equals);
  const name = WITH_VALUE.find((known) => known === typed);
  if (name !== undefined && equals !== -1) return [name, word.slice(equals + 1)];
  if (name !== undefined) throw bad(`parameter "${name}" of the "upsync" directive needs a value: ${name}=…`);
  const near = nearestName(typed, [...WITH_VALUE, ...Object.keys(SHORT)]);
  const hint = near === undefined ? '' : `, did you mean "${near}"?`;
  // Only the name is shown: the value of a mistyped token= is a secret.
  throw bad(`unknown parameter ${quoted(typed)} in the "upsync" directive${hint}`);
}

function quoted(text: string): string {
  return JSON.stringify(text.slice(0, 60));
}

function bad(message: string): UpsyncError {
  return new UpsyncError('BAD_DIRECTIVE', message);
}
