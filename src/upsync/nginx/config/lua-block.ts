/**
 * Where a `*_by_lua_block` ends: the offset of its closing brace, counting braces as Lua does, so that braces in
 * strings, long brackets and comments do not count. `from` is the offset behind the opening brace.
 * Returns undefined when the text ends first.
 * Source: Lua 5.1 reference manual 2.1; lua-nginx-module reads its blocks by the same lexical rules.
 */
export function endOfLuaBlock(text: string, from: number): number | undefined {
  let depth = 1;
  let at = from;
  while (at < text.length) {
    const character = text[at]!;
    if (character === '{') depth++;
    else if (character === '}') {
      depth--;
      if (depth === 0) return at;
    } else if (character === '"' || character === "'") {
      at = endOfString(text, at) ?? at + 1;
      continue;
    } else if (character === '[') {
      const end = endOfLongBracket(text, at);
      if (end === 'open') return undefined;
      if (end !== 'none') {
        at = end;
        continue;
      }
    } else if (character === '-' && text[at + 1] === '-') {
      const end = endOfComment(text, at);
      if (end === undefined) return undefined;
      at = end;
      continue;
    }
    at++;
  }
  return undefined;
}

// A quote without another one on its line is an ordinary character for nginx's reader, be it Lua or not.
function endOfString(text: string, from: number): number | undefined {
  const quote = text[from];
  for (let at = from + 1; at < text.length && text[at] !== '\n'; at++) {
    if (text[at] === '\\' && text[at + 1] !== '\n') at++;
    else if (text[at] === quote) return at + 1;
  }
  return undefined;
}

function endOfComment(text: string, from: number): number | undefined {
  if (text[from + 2] === '[') {
    const end = endOfLongBracket(text, from + 2);
    if (end === 'open') return undefined;
    if (end !== 'none') return end;
  }
  const newline = text.indexOf('\n', from);
  return newline === -1 ? undefined : newline + 1;
}

// `[[ … ]]`, `[==[ … ]==]`: ends at the first closer of the same level.
function endOfLongBracket(text: string, from: number): number | 'none' | 'open' {
  let level = 0;
  while (text[from + 1 + level] === '=') level++;
  if (text[from + 1 + level] !== '[') return 'none';
  const closer = `]${'='.repeat(level)}]`;
  const end = text.indexOf(closer, from + 2 + level);
  return end === -1 ? 'open' : end + closer.length;
}
