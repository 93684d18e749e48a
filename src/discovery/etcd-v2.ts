import { joinEntries, type ReadEntry, safeText } from './entry-address.ts';
import { type RegistryHttp, type RegistryReply, requireOk } from './http.ts';
import { NO_SERVER, readKvEntry } from './kv-entry.ts';
import type { PollFloor } from './poll-floor.ts';
import { badReply, isFields, parseReply } from './reply-json.ts';
import { joinQuery, type RequestPath } from './request-path.ts';
import { sameList } from './same-list.ts';
import { SourceError } from './source-error.ts';
import type { SourceList, SourceOptions } from './source.ts';

/** A list without waiting comes at once, and is asked for no longer than this. Milliseconds. */
const DIRECT_DEADLINE_MS = 30_000;
const KEY_NOT_FOUND = 100;
const INDEX_OUTDATED = 401;

/** What an etcd list loop needs. */
export interface EtcdLoop {
  readonly http: RegistryHttp;
  readonly floor: PollFloor;
  readonly path: RequestPath;
  readonly options: SourceOptions;
  /** What any loop was told last; survives from one loop to the next. */
  readonly memory: { seen: SourceList | undefined };
}

/**
 * Lists and then waits, for ever, in etcd's old keys API (`/v2/keys/…`). The content of an event is not used: each one leads
 * to a new list, so that none can be lost. Source: nginx-upsync-module, `ngx_http_upsync_etcd_parse_json`; etcd v2 API.
 */
export async function* etcdV2Lists(loop: EtcdLoop, signal: AbortSignal): AsyncGenerator<SourceList> {
  const { http, floor, path, options } = loop;
  const deadlineMs = Math.min(options.timeoutMs, DIRECT_DEADLINE_MS);
  let last: SourceList | undefined;
  for (;;) {
    await floor.ready(signal);
    if (signal.aborted) return;
    const reply = await http.request({ path: joinQuery(path.path, path.query), deadlineMs, signal });
    const start = performance.now();
    const { list, index } = readV2List(reply);
    const before = last ?? loop.memory.seen;
    const changed = before === undefined || !sameList(before, list);
    floor.answered(changed, performance.now() - start);
    if (changed || last === undefined) yield list;
    last = list;
    loop.memory.seen = list;
    await waitForChange(loop, index, signal);
  }
}

/** Resolves when the list has to be read again: after an event, or when the poll's time is over. */
async function waitForChange(loop: EtcdLoop, index: bigint, signal: AbortSignal): Promise<void> {
  const { http, path, options } = loop;
  const query = [...path.query, 'wait=true', 'recursive=true', `waitIndex=${index + 1n}`];
  try {
    const reply = await http.request({
      path: joinQuery(path.path, query),
      deadlineMs: options.timeoutMs,
      signal,
    });
    if (errorCode(reply) !== INDEX_OUTDATED) requireOk(reply);
  } catch (error) {
    // etcd's wait has no end of its own; a quiet list is read again now and then, in case the connection is dead.
    if (!(error instanceof SourceError && error.code === 'SOURCE_TIMEOUT')) throw error;
  }
}

/**
 * Reads the reply to a `get`. A key that does not exist and a folder without children are empty lists.
 * @throws {SourceError} SOURCE_BAD_REPLY, SOURCE_STATUS, SOURCE_DENIED or SOURCE_BUSY.
 */
export function readV2List(reply: RegistryReply): { list: SourceList; index: bigint } {
  const header = reply.header('x-etcd-index');
  const index = header !== undefined && /^\d{1,20}$/.test(header) ? BigInt(header) : 0n;
  if (reply.status === 404 && errorCode(reply) === KEY_NOT_FOUND)
    return { list: { servers: [], rejected: [], index: index.toString() }, index };
  const body = parseReply(requireOk(reply));
  const node = isFields(body) ? body['node'] : undefined;
  if (!isFields(node)) throw badReply(reply, 'no node of the v2 keys API');
  const nodes = Array.isArray(node['nodes']) ? (node['nodes'] as unknown[]) : [];
  const list = joinEntries(
    nodes.map((child) => {
      const key = isFields(child) && typeof child['key'] === 'string' ? child['key'] : '';
      return { where: safeText(key), entry: readNode(key, child) };
    }),
  );
  return { list: { ...list, index: index.toString() }, index };
}

function readNode(key: string, child: unknown): ReadEntry {
  if (!isFields(child) || child['dir'] === true) return NO_SERVER;
  const value = child['value'];
  return readKvEntry(key, () => (typeof value === 'string' ? value : ''));
}

function errorCode(reply: RegistryReply): unknown {
  if (reply.status < 400) return undefined;
  try {
    const body = JSON.parse(reply.text) as unknown;
    return isFields(body) ? body['errorCode'] : undefined;
  } catch {
    return undefined;
  }
}
