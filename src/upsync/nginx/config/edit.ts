/** One replacement in a file: the bytes from `start` to `end` (equal for an insertion) become `text`. */
export interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/**
 * The text with all edits made and every other byte as it was. Insertions at one offset keep their order.
 * @throws {TypeError} when two edits overlap, which is a mistake of the program.
 */
export function applyEdits(text: string, edits: readonly Edit[]): string {
  const ordered = [...edits].sort((a, b) => a.start - b.start || a.end - b.end);
  let result = '';
  let position = 0;
  for (const edit of ordered) {
    if (edit.start < position) throw new TypeError(`edits overlap at offset ${edit.start}`);
    result += text.slice(position, edit.start) + edit.text;
    position = edit.end;
  }
  return result + text.slice(position);
}

/** What takes the place of a removed span: its line ends, so that no line number behind it moves. */
export function blankOf(text: string, start: number, end: number, replacement = ''): string {
  return replacement + '\n'.repeat(text.slice(start, end).split('\n').length - 1);
}

/** A double-quoted nginx word that means `value`; `value` must hold no line end. */
export function quoteWord(value: string): string {
  return `"${value.replace(/[\\"]/g, '\\$&')}"`;
}
