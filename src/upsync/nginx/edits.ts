import { ConfigError } from '../config-error.ts';
import { applyEdits, blankOf, type Edit } from './config/edit.ts';
import type { ConfigFile, Directive, Word } from './config/parse.ts';

/**
 * The changes to make in the files of one configuration. A file that is included in several places is changed once, so
 * the same change may be asked for again.
 */
export class Edits {
  readonly #byFile = new Map<ConfigFile, Map<string, Edit>>();
  readonly #removed = new Set<Directive>();
  readonly #redirected = new Set<Directive>();

  /** Puts `text` (one character per byte, no line end) at an offset. */
  insert(file: ConfigFile, offset: number, text: string): void {
    this.#add(file, { start: offset, end: offset, text }, `${offset}:${text}`);
  }

  /** Puts `text` in place of a directive, block included; line ends inside it stay, so that no line moves. */
  replace(file: ConfigFile, directive: Directive, text = ''): void {
    this.#removed.add(directive);
    this.span(file, directive.start, directive.end, text);
  }

  /**
   * Puts `text` in place of a span.
   * @throws {ConfigError} CONFIG_INVALID when the file is included twice and would have to become two different texts.
   */
  span(file: ConfigFile, start: number, end: number, text: string): void {
    const edit = { start, end, text: blankOf(file.text, start, end, text) };
    const known = this.#byFile.get(file)?.get(`${start}-${end}`);
    if (known !== undefined && known.text !== edit.text) {
      const line = file.text.slice(0, start).split('\n').length;
      const reason = 'this line is included in two places that need it to become different things';
      throw new ConfigError(reason, { file: file.path, line });
    }
    this.#add(file, edit, `${start}-${end}`);
  }

  /** Puts another argument in place of one of a directive. */
  redirect(file: ConfigFile, directive: Directive, word: Word, text: string): void {
    this.#redirected.add(directive);
    this.span(file, word.start, word.end, text);
  }

  isRedirected(directive: Directive): boolean {
    return this.#redirected.has(directive);
  }

  isRemoved(directive: Directive): boolean {
    return this.#removed.has(directive);
  }

  isChanged(file: ConfigFile): boolean {
    return this.#byFile.has(file);
  }

  /** The files that change, with their new text. */
  results(): { readonly file: ConfigFile; readonly text: string }[] {
    return [...this.#byFile].map(([file, edits]) => ({
      file,
      text: applyEdits(file.text, [...edits.values()]),
    }));
  }

  #add(file: ConfigFile, edit: Edit, key: string): void {
    const edits = this.#byFile.get(file) ?? new Map<string, Edit>();
    this.#byFile.set(file, edits);
    edits.set(key, edit);
  }
}
