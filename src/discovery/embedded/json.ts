const INDENT = '    ';

/**
 * Writes JSON as Consul does: `<`, `>`, `&` and the two line separators escaped, members in the order given, bigints as
 * plain numbers, undefined members left out; indented with four spaces when `pretty`.
 */
export function writeJson(value: unknown, pretty: boolean): string {
  return write(value, pretty ? '\n' : '');
}

function write(value: unknown, lineBreak: string): string {
  if (typeof value === 'string') return writeText(value);
  if (typeof value === 'bigint') return value.toString();
  if (typeof value === 'number') return Number.isFinite(value) ? String(value) : 'null';
  if (typeof value === 'boolean') return String(value);
  if (typeof value !== 'object' || value === null) return 'null';
  const inner = lineBreak === '' ? '' : lineBreak + INDENT;
  const colon = lineBreak === '' ? ':' : ': ';
  if (Array.isArray(value)) {
    if (value.length === 0) return '[]';
    return `[${value.map((item) => inner + write(item, inner)).join(',')}${lineBreak}]`;
  }
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  if (members.length === 0) return '{}';
  return `{${members.map(([name, member]) => `${inner}${writeText(name)}${colon}${write(member, inner)}`).join(',')}${lineBreak}}`;
}

function writeText(text: string): string {
  return JSON.stringify(text).replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
