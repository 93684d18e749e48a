/** A piece of a hash key: text as it stands, or the value of an nginx variable. */
export interface KeyPart {
  readonly text: string;
  readonly isVariable: boolean;
}

/** Takes `$request_uri$arg_x` or `${host}-a` apart, once, when the configuration is loaded. */
export function parseKey(text: string): KeyPart[] {
  const parts: KeyPart[] = [];
  let from = 1;
  while (from <= text.length) {
    const [start] = string.find(text, '$', from, true);
    if (start === undefined) {
      parts.push({ text: string.sub(text, from), isVariable: false });
      break;
    }
    if (start > from) parts.push({ text: string.sub(text, from, start - 1), isVariable: false });
    const [plain] = string.match(text, '^[%w_]+', start + 1);
    const [braced] = string.match(text, '^{([%w_]+)}', start + 1);
    const name = plain ?? braced;
    if (name === undefined) {
      parts.push({ text: '$', isVariable: false });
      from = start + 1;
    } else {
      parts.push({ text: name, isVariable: true });
      from = start + 1 + name.length + (plain === undefined ? 2 : 0);
    }
  }
  return parts;
}

/** The key of the request at hand; a variable without a value counts as ''. */
export function keyValue(parts: readonly KeyPart[]): string {
  if (parts.length === 1) return partValue(parts[0]!);
  let value = '';
  for (const part of parts) value = value + partValue(part);
  return value;
}

function partValue(part: KeyPart): string {
  return part.isVariable ? (ngx.var[part.text] ?? '') : part.text;
}
