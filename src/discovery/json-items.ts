const QUOTE = 0x22;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;

/** `[` and `]`, the bytes a JSON array begins and ends with. */
export const OPEN_BRACKET = 0x5b;
export const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/** Index of the first byte at or after `at` that is no white space of JSON. */
export function skipSpace(body: Uint8Array, at: number): number {
  let next = at;
  while (isSpace(body[next])) next++;
  return next;
}

/**
 * Index just after the JSON value that begins at `at`, found by its brackets and strings alone: whether it is JSON between
 * them is for the parser to say. Undefined when it is cut off.
 */
export function endOfItem(body: Uint8Array, at: number): number | undefined {
  const first = body[at];
  if (first === QUOTE) return endOfString(body, at);
  if (first !== OPEN_BRACE && first !== OPEN_BRACKET) return endOfWord(body, at);
  let depth = 0;
  for (let next = at; next < body.length; next++) {
    const byte = body[next];
    if (byte === QUOTE) {
      const end = endOfString(body, next);
      if (end === undefined) return undefined;
      next = end - 1;
    } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) depth++;
    else if ((byte === CLOSE_BRACE || byte === CLOSE_BRACKET) && --depth === 0) return next + 1;
  }
  return undefined;
}

/**
 * Index of the next item of an array, given the index just after one; `end` when the array ends there. Undefined when
 * neither a comma nor the end follows.
 */
export function nextItem(body: Uint8Array, at: number): number | 'end' | undefined {
  const next = skipSpace(body, at);
  if (body[next] === CLOSE_BRACKET) return 'end';
  return body[next] === COMMA ? skipSpace(body, next + 1) : undefined;
}

// A byte of a character that takes several is never one of these, so the text need not be decoded.
function endOfString(body: Uint8Array, quote: number): number | undefined {
  for (let next = quote + 1; next < body.length; next++) {
    const byte = body[next];
    if (byte === BACKSLASH) next++;
    else if (byte === QUOTE) return next + 1;
  }
  return undefined;
}

function endOfWord(body: Uint8Array, at: number): number | undefined {
  let next = at;
  while (next < body.length && body[next] !== COMMA && body[next] !== CLOSE_BRACKET && !isSpace(body[next]))
    next++;
  return next === at || next === body.length ? undefined : next;
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}
