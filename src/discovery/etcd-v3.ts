import type { EtcdLoop } from './etcd-v2.ts';
import { joinEntries, safeText } from './entry-address.ts';
import { type RegistryReply, requireOk } from './http.ts';
import { readKvEntry } from './kv-entry.ts';
import { badReply, isFields, parseReply } from './reply-json.ts';
import { decodeComponent } from './request-path.ts';
import { sameList } from './same-list.ts';
import { SourceError } from './source-error.ts';
import type { SourceList } from './source.ts';

const DIRECT_DEADLINE_MS = 30_000;

/**
 * Lists and then watches, for ever, in etcd v3 by its JSON gateway. The path is the key prefix, its first slash included.
 * The content of an event is not used: each one leads to a new list. A watch starts right after the revision that was
 * listed, so nothing falls in between; when etcd has compacted that revision away, the list is read again.
 * Source: etcd, "gRPC gateway" and `rpc.proto` (Range, Watch).
 */
export async function* etcdV3Lists(loop: EtcdLoop, signal: AbortSignal): AsyncGenerator<SourceList> {
  const { http, floor, options } = loop;
  const range = prefixRange(Buffer.from(decodeComponent(loop.path.path), 'utf8'));
  const deadlineMs = Math.min(options.timeoutMs, DIRECT_DEADLINE_MS);
  let last: SourceList | undefined;
  for (;;) {
    await floor.ready(signal);
    if (signal.aborted) return;
    const reply = await http.request({
      method: 'POST',
      path: '/v3/kv/range',
      body: JSON.stringify(range),
      deadlineMs,
      signal,
    });
    const start = performance.now();
    const { list, revision } = readV3List(reply);
    const before = last ?? loop.memory.seen;
    const changed = before === undefined || !sameList(before, list);
    floor.answered(changed, performance.now() - start);
    if (changed || last === undefined) yield list;
    last = list;
    loop.memory.seen = list;
    await waitForEvent(loop, { ...range, start_revision: (revision + 1n).toString() }, signal);
  }
}

/** Resolves when the list has to be read again: after an event, a compaction, or when the watch's time is over. */
async function waitForEvent(loop: EtcdLoop, create_request: object, signal: AbortSignal): Promise<void> {
  const lines = loop.http.lines({
    method: 'POST',
    path: '/v3/watch',
    body: JSON.stringify({ create_request }),
    deadlineMs: loop.options.timeoutMs,
    signal,
  });
  for await (const line of lines) {
    if (line.trim() === '') continue;
    const message = parseLine(line, loop.http.description);
    const result = isFields(message['result']) ? message['result'] : undefined;
    if (!result)
      throw new SourceError(
        'SOURCE_BAD_REPLY',
        `${loop.http.description} ended the watch: ${safeText(JSON.stringify(message['error'] ?? null))}`,
      );
    if (result['canceled'] === true) return;
    if (Array.isArray(result['events']) && result['events'].length > 0) return;
  }
}

/**
 * Reads the reply to a range request; int64 values are text in it, keys and values base64.
 * @throws {SourceError} SOURCE_BAD_REPLY, SOURCE_STATUS, SOURCE_DENIED or SOURCE_BUSY.
 */
export function readV3List(reply: RegistryReply): { list: SourceList; revision: bigint } {
  const body = parseReply(requireOk(reply));
  const header = isFields(body) && isFields(body['header']) ? body['header'] : undefined;
  const revision = header?.['revision'];
  if (!isFields(body) || typeof revision !== 'string' || !/^\d{1,19}$/.test(revision))
    throw badReply(reply, 'no range reply of the v3 API');
  const kvs = Array.isArray(body['kvs']) ? (body['kvs'] as unknown[]) : [];
  const list = joinEntries(
    kvs.map((kv) => {
      const key = isFields(kv) ? decodeBase64(kv['key']) : '';
      const value = isFields(kv) ? kv['value'] : undefined;
      return { where: safeText(key), entry: readKvEntry(key, () => decodeBase64(value)) };
    }),
  );
  return { list: { ...list, index: revision }, revision: BigInt(revision) };
}

/** The keys that begin with `prefix`, as etcd counts: from the prefix up to the prefix with its last byte raised. */
export function prefixRange(prefix: Buffer): { key: string; range_end: string } {
  const end = Buffer.from(prefix);
  let length = end.length;
  while (length > 0 && end[length - 1] === 0xff) length--;
  if (length > 0) end[length - 1]! += 1;
  // A range end of one zero byte means "to the end".
  const rangeEnd = length > 0 ? end.subarray(0, length) : Buffer.from([0]);
  return { key: prefix.toString('base64'), range_end: rangeEnd.toString('base64') };
}

function parseLine(line: string, description: string): Readonly<Record<string, unknown>> {
  try {
    const message = JSON.parse(line) as unknown;
    if (isFields(message)) return message;
  } catch {
    // Reported below, like JSON of another shape.
  }
  throw new SourceError('SOURCE_BAD_REPLY', `${description} sent a watch message that is not JSON`);
}

function decodeBase64(value: unknown): string {
  return typeof value === 'string' ? Buffer.from(value, 'base64').toString('utf8') : '';
}
