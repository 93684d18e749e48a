/**
 * Parses the JSON value a text begins with and ignores what follows it, because nginx-upsync-module's parser does and
 * lists written for it may rely on that.
 * @throws {SyntaxError} when the text does not begin with a complete JSON value.
 */
export function parseJsonPrefix(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    const end = endOfValue(text);
    if (end === undefined || end === text.length) throw error;
    return JSON.parse(text.slice(0, end)) as unknown;
  }
}

/** Index just after the first JSON value, or undefined when there is none or it is cut off. */
function endOfValue(text: string): number | undefined {
  const start = text.search(/[^ \t\r\n]/);
  if (start < 0) return undefined;
  const first = text[start];
  if (first === '"') return endOfString(text, start);
  if (first !== '{' && first !== '[') {
    const scalar = /^(?:-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)/.exec(
      text.slice(start, start + 64),
    );
    return scalar ? start + scalar[0].length : undefined;
  }
  let depth = 0;
  for (let at = start; at < text.length; at++) {
    const char = text[at];
    if (char === '"') {
      const end = endOfString(text, at);
      if (end === undefined) return undefined;
      at = end - 1;
    } else if (char === '{' || char === '[') depth++;
    else if ((char === '}' || char === ']') && --depth === 0) return at + 1;
  }
  return undefined;
}

function endOfString(text: string, quote: number): number | undefined {
  for (let at = quote + 1; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === '"') return at + 1;
  }
  return undefined;
}
