import { addressOf, ffi } from './ffi.ts';
import { getRequest } from './nginx-memory.ts';
import { type Cells, pointerAt, type ReadCells } from './own-memory.ts';

/**
 * Where nginx's Lua module keeps what `set_current_peer` tells it of a request, until nginx takes it from there. It has no
 * name for that outside of itself, and its place differs from version to version, so it is looked for: it is where the
 * address, told over and over, comes to stand.
 */
export interface PeerPlace {
  /** Words that lead to it, from the module's own configuration or from the request. */
  readonly from: 'module' | 'request';
  readonly path: readonly number[];
  /** Its words: the request it belongs to, the address, and the address as text. */
  readonly request: number;
  readonly address: number;
  readonly name: number;
}

/** Words looked at of the module's configuration, from larger to smaller: it may end at the end of memory. */
const MODULE_WORDS = [128, 96, 64, 48];
/**
 * Where a request keeps its upstream, without a cache compiled in and with it, and that what its peer keeps for the module.
 * Source: nginx, ngx_http_request.h, ngx_http_upstream.h, ngx_event_connect.h.
 */
const UPSTREAM_WORDS = [8, 9];
const PEER_DATA_WORD = 11;
/** Words looked at of what is kept for a request. */
const PEER_WORDS = 32;
/** The first addresses told lie beside what is kept; those after them no longer do. */
const TELLS_BEFORE = 4;
const AF_INET = 2;
const AF_INET6 = 10;

interface Candidate {
  readonly from: 'module' | 'request';
  readonly path: readonly number[];
  readonly at: number;
  readonly untold: Cells;
  told?: Cells | undefined;
}

/**
 * Looks for the place by telling nginx the server at hand, at the least once. Undefined when it cannot be made out without
 * a doubt. `host` is an IP address, in brackets if it is one of version 6.
 */
export function findPeerPlace(
  read: ReadCells,
  luaMainConf: unknown,
  tell: (this: void) => void,
  host: string,
  port: number,
): PeerPlace | undefined {
  const request = addressOf(getRequest());
  const candidates: Candidate[] = [];
  addBehindModule(candidates, read, addressOf(luaMainConf));
  addBehindRequest(candidates, read, request);
  for (const _ of $range(1, TELLS_BEFORE)) tell();
  for (const candidate of candidates) candidate.told = read(candidate.at, PEER_WORDS * 2);
  tell();
  for (const { from, path, at, untold, told: before } of candidates) {
    const after = read(at, PEER_WORDS * 2);
    if (before === undefined || after === undefined) continue;
    const words = wordsToldOf(read, untold, before, after, host, port);
    const own = wordOf(after, request);
    if (words !== undefined && own !== undefined) return { from, path, request: own, ...words };
  }
  return undefined;
}

function addBehindModule(to: Candidate[], read: ReadCells, luaMainConf: number): void {
  for (const words of MODULE_WORDS) {
    const cells = read(luaMainConf, words * 2);
    if (cells === undefined) continue;
    for (const word of $range(0, words - 1)) addCandidate(to, read, 'module', [word], pointerAt(cells, word));
    return;
  }
}

function addBehindRequest(to: Candidate[], read: ReadCells, request: number): void {
  for (const word of UPSTREAM_WORDS) {
    const upstream = pointerIn(read, request, word);
    const data = upstream === undefined ? undefined : pointerIn(read, upstream, PEER_DATA_WORD);
    if (data !== undefined) addCandidate(to, read, 'request', [word, PEER_DATA_WORD], data);
  }
}

function addCandidate(
  to: Candidate[],
  read: ReadCells,
  from: Candidate['from'],
  path: number[],
  at: number,
): void {
  const untold = at % 8 === 0 && at > 0 ? read(at, PEER_WORDS * 2) : undefined;
  if (untold !== undefined) to.push({ from, path, at, untold });
}

function pointerIn(read: ReadCells, at: number, word: number): number | undefined {
  const cells = read(at, (word + 1) * 2);
  return cells && pointerAt(cells, word);
}

/** The words that changed with a tell, when they are an address and a text of it, and nothing else. */
function wordsToldOf(
  read: ReadCells,
  untold: Cells,
  before: Cells,
  after: Cells,
  host: string,
  port: number,
): Pick<PeerPlace, 'address' | 'name'> | undefined {
  let address: number | undefined;
  let name: number | undefined;
  for (const word of $range(0, PEER_WORDS - 2)) {
    const at = pointerAt(after, word);
    if (at === pointerAt(before, word)) continue;
    const bytes = socketAddressBytes(read, at, port);
    const length = (word + 1) * 2;
    if (bytes !== undefined && pointerAt(untold, word) === 0) {
      if (address !== undefined || after[length] !== bytes || untold[length] !== 0) return undefined;
      address = word;
    } else if (name === undefined && isTextOf(read, at, host)) name = word;
    else return undefined;
  }
  return address === undefined || name === undefined ? undefined : { address, name };
}

/** The size of the socket address of this port that stands there. Source: Linux, sockaddr_in and sockaddr_in6. */
function socketAddressBytes(read: ReadCells, at: number, port: number): number | undefined {
  const cells = read(at, 4);
  if (cells === undefined) return undefined;
  const family = cells[0]! % 65_536;
  const portAsSent = Math.floor(cells[0]! / 65_536);
  if (portAsSent !== (port % 256) * 256 + Math.floor(port / 256)) return undefined;
  if (family === AF_INET) return 16;
  return family === AF_INET6 ? 28 : undefined;
}

/** Whether a text of nginx stands there that begins with the host. */
function isTextOf(read: ReadCells, at: number, host: string): boolean {
  const head = read(at, 4);
  if (head === undefined || head[1] !== 0 || head[0]! < host.length) return false;
  const text = read(pointerAt(head, 1), Math.ceil(host.length / 4));
  return text !== undefined && ffi.string(text, host.length) === host;
}

function wordOf(cells: Cells, pointer: number): number | undefined {
  for (const word of $range(0, PEER_WORDS - 1)) if (pointerAt(cells, word) === pointer) return word;
  return undefined;
}
