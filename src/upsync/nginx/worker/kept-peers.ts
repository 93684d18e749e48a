import { ffi } from './ffi.ts';
import type { KeptPeer, WorkerServer } from './list.ts';
import { setPeer } from './nginx-balancer.ts';
import { getRequest, type NginxParts } from './nginx-memory.ts';
import { type Cells, type ReadCells, readingMemory } from './own-memory.ts';
import { findPeerPlace, type PeerPlace } from './peer-place.ts';

/**
 * For every request nginx's Lua module parses the address it is told, and writes it out again, which is as much work as all
 * the rest of balancing. So what nginx made of an address once is kept, and put where the module keeps it. Where that place
 * cannot be found (peer-place.ts), and at every request for which it does not look as it must, the address is told.
 */

interface Block {
  length: number;
  data: unknown;
  text: unknown;
}
interface Text {
  readonly length: number;
  readonly data: unknown;
}
type Words = Record<number, unknown>;
/** Writes a kept address where the module would; false when this request's place does not look as it must. */
type Put = (this: void, kept: KeptPeer) => boolean;

const DECLARATIONS = `
typedef struct { size_t length; char *data; } upsync_text;
typedef struct { char address[112]; size_t length; char *data; char text[?]; } upsync_kept_peer;
`;
const ADDRESS_BYTES = 112;
/** Addresses kept by a worker, which a request of any age may point to: they live as long as it. Some 30 MB at most. */
const MOST = 65_536;
/** How many requests the place is looked for with. */
const SEARCHES = 3;

const castTo = ffi.cast;
const pointerType = ffi.typeof('void *');
const cellsType = ffi.typeof('uint32_t *');
const kept: Record<string, KeptPeer | undefined> = {};
let count = 0;
let nginx: NginxParts | undefined;
let place: PeerPlace | undefined;
let searches = 0;
let find: (this: void) => Words;
let put: Put = () => false;

/** Runs in each worker before its first request. */
export function prepareKeptPeers(parts: NginxParts | string): void {
  if (typeof parts === 'string') return;
  ffi.cdef(DECLARATIONS);
  nginx = parts;
}

/** How many addresses nginx need not parse any more, in this worker. */
export function keptPeers(): number {
  return count;
}

/** Sends the request at hand to the server; false when nginx does not take its address. */
export function sendTo(server: WorkerServer): boolean {
  const peer = server.kept;
  if (peer !== undefined && put(peer)) return true;
  return tell(server);
}

function tell(server: WorkerServer): boolean {
  if (nginx !== undefined && place === undefined) search(server, nginx);
  if (!setPeer(server.host, server.port)) return false;
  if (place !== undefined && server.kept === undefined) server.kept = keep(server, place);
  return true;
}

function search(server: WorkerServer, parts: NginxParts): void {
  if (server.port === 0) return;
  searches += 1;
  const { host, port } = server;
  const tellIt = (): void => void setPeer(host, port);
  const [searched, result] = pcall(readingMemory<PeerPlace | undefined>, (read: ReadCells) =>
    findPeerPlace(read, parts.luaMainConf, tellIt, host, port),
  );
  if (searched && result !== undefined) {
    place = result;
    find = createFind(place, parts.luaMainConf);
    put = createPut(place, find);
  } else if (searches === SEARCHES) {
    nginx = undefined;
    const reason = searched ? 'the Lua module does not keep them as known' : tostring(result);
    ngx.log(ngx.NOTICE, `upsync: nginx parses the address of every request's server: ${reason}`);
  }
}

function createPut(at: PeerPlace, wordsNow: (this: void) => Words): Put {
  // Locals of the function that uses them: LuaJIT takes them for constants.
  const { request, address, name } = at;
  const length = (address + 1) * 2;
  const pointer = pointerType;
  const cells = cellsType;
  return (peer) => {
    const words = wordsNow();
    if (words[request] !== castTo(pointer, getRequest()) || words[address] !== undefined) return false;
    words[address] = peer.address;
    castTo<Cells>(cells, words)[length] = peer.bytes;
    words[name] = peer.name;
    return true;
  };
}

/** Gives what the module keeps for the request at hand. */
function createFind({ from, path }: PeerPlace, luaMainConf: unknown): (this: void) => Words {
  const first = path[0]!;
  if (from === 'module') {
    const slots = castTo<Record<number, Words>>('void ***', luaMainConf);
    return () => slots[first]!;
  }
  const second = path[1]!;
  const requestType = ffi.typeof('void ****');
  return () => castTo<Record<number, Record<number, Words>>>(requestType, getRequest())[first]![second]!;
}

/** What nginx made of the address it was just told. */
function keep(server: WorkerServer, at: PeerPlace): KeptPeer | undefined {
  const key = `${server.host}:${server.port}`;
  const before = kept[key];
  if (before !== undefined || count >= MOST) return before;
  const words = find();
  const bytes = castTo<Cells>(cellsType, words)[(at.address + 1) * 2]!;
  if (words[at.request] !== castTo(pointerType, getRequest()) || bytes > ADDRESS_BYTES) return undefined;
  const text = castTo<Text>('upsync_text *', words[at.name]);
  const length = tonumber(text.length)!;
  const block = ffi.new<Block>('upsync_kept_peer', length);
  ffi.copy(block, words[at.address], bytes);
  ffi.copy(block.text, text.data, length);
  block.length = text.length;
  block.data = block.text;
  const start = castTo<number>('char *', block);
  const peer = {
    block,
    address: castTo(pointerType, start),
    bytes,
    name: castTo(pointerType, start + ADDRESS_BYTES),
  };
  kept[key] = peer;
  count += 1;
  return peer;
}
