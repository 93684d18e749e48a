import { LISTS_HEADER } from './names.ts';
import { decodeToken, parseServer } from './list.ts';

/** One upstream's new list, checked. */
export interface ListUpdate {
  readonly name: string;
  /** Its lines as they came: what the dictionary keeps. */
  readonly text: string;
  readonly servers: number;
}

/** Why a body was refused as a whole. */
export interface BodyError {
  readonly line: number;
  readonly reason: string;
}

/** Lines between two pauses, so that a body of any size never holds up the worker's requests for long. */
const PAUSE_EVERY = 1000;

/**
 * Reads the body of `PUT /lists` (`encodeLists` in wire.ts) to its very end before anything is done with it: one line
 * that cannot be read, or a missing end, and nothing of it is used.
 */
export function parseLists(body: string, pause: () => void): ListUpdate[] | BodyError {
  const updates: ListUpdate[] = [];
  const names: Record<string, boolean | undefined> = {};
  const reader = { position: 1, line: 0 };
  if (nextLine(body, reader) !== LISTS_HEADER)
    return { line: 1, reason: `does not begin with "${LISTS_HEADER}"` };
  while (true) {
    const head = nextLine(body, reader);
    if (head === undefined) return { line: reader.line, reason: 'is cut off: the line "end" is missing' };
    const [total] = string.match(head, '^end (%d+)$');
    if (total !== undefined) {
      if (tonumber(total) !== updates.length) return { line: reader.line, reason: 'counts other upstreams' };
      return reader.position > body.length ? updates : { line: reader.line, reason: 'is not the last line' };
    }
    const [token, count] = string.match(head, '^u (%S+) (%d+)$');
    if (token === undefined || count!.length > 7) return { line: reader.line, reason: 'is no upstream line' };
    const name = decodeToken(token);
    if (names[name]) return { line: reader.line, reason: 'names an upstream a second time' };
    names[name] = true;
    const servers = tonumber(count)!;
    const start = reader.position;
    for (const _ of $range(1, servers)) {
      const line = nextLine(body, reader);
      if (line === undefined) return { line: reader.line, reason: 'is cut off within a list' };
      const server = parseServer(line);
      if (typeof server === 'string') return { line: reader.line, reason: server };
      if (reader.line % PAUSE_EVERY === 0) pause();
    }
    updates.push({ name, text: string.sub(body, start, reader.position - 1), servers });
  }
}

function nextLine(body: string, reader: { position: number; line: number }): string | undefined {
  const [end] = string.find(body, '\n', reader.position, true);
  reader.line += 1;
  if (end === undefined) return undefined;
  const line = string.sub(body, reader.position, end - 1);
  reader.position = end + 1;
  return line;
}
