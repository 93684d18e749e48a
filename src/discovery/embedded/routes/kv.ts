import { ask, type Context } from '../context.ts';
import { badRequest, HttpError } from '../http/errors.ts';
import { readOptions, refuseOtherDatacenter, requireUint64 } from '../http/query.ts';
import { queryHeaders, type Reply } from '../http/reply.ts';
import type { Call, Route } from '../http/router.ts';
import { keyTopic, prefixTopic, toKvJson } from '../store/kv.ts';

/** Largest value Consul takes by default. Bytes. */
const MAX_VALUE_BYTES = 524_288;
const RAW_HEADERS = {
  'Content-Type': 'text/plain',
  'X-Content-Type-Options': 'nosniff',
  'Content-Security-Policy': 'sandbox',
};

/** `/v1/kv/`: read, list, write and delete keys. */
export function kvRoutes(context: Context): Route[] {
  const handlers: Record<string, (call: Call) => Reply | undefined | Promise<Reply | undefined>> = {
    GET: (call) => (call.query.has('keys') ? keys(context, call) : read(context, call)),
    PUT: (call) => put(context, call),
    DELETE: (call) => remove(context, call),
  };
  return [
    {
      path: '/v1/kv/',
      methods: ['GET', 'PUT', 'DELETE'],
      handle: (call) => handlers[call.method]!(call),
    },
  ];
}

async function read(context: Context, call: Call): Promise<Reply | undefined> {
  const { rest: key, query } = call;
  const options = readOptions(query, context.identity.datacenter);
  const { kv } = context.store;
  if (query.has('recurse')) {
    const list = await ask(context, call, options, [prefixTopic(key)], () => {
      const index = kv.prefixIndex(key);
      return { index };
    });
    if (!list) return undefined;
    const headers = queryHeaders(list.index);
    const { body } = kv.listJson(key);
    if (body === undefined) return { status: 404, headers };
    return query.has('pretty')
      ? { headers, json: kv.list(key).entries.map(toKvJson) }
      : { headers, jsonText: body };
  }
  requireKey(key);
  const found = await ask(context, call, options, [keyTopic(key)], () => {
    const { index, entry } = kv.get(key);
    return { index, entry, isMissing: entry === undefined };
  });
  if (!found) return undefined;
  const headers = queryHeaders(found.index);
  if (!found.entry) return { status: 404, headers };
  if (query.has('raw')) return { headers: { ...headers, ...RAW_HEADERS }, raw: found.entry.value };
  return { headers, json: [toKvJson(found.entry)] };
}

async function keys(context: Context, call: Call): Promise<Reply | undefined> {
  const { rest: prefix, query } = call;
  const options = readOptions(query, context.identity.datacenter);
  // Consul honours its own old misspelling as well.
  const separator = query.get('separator') ?? query.get('seperator') ?? '';
  const found = await ask(context, call, options, [prefixTopic(prefix)], () =>
    context.store.kv.keys(prefix, separator),
  );
  if (!found) return undefined;
  const headers = queryHeaders(found.index);
  return found.keys.length === 0 && prefix !== '' ? { status: 404, headers } : { headers, json: found.keys };
}

async function put(context: Context, call: Call): Promise<Reply> {
  const { rest: key, query } = call;
  refuseOtherDatacenter(query, context.identity.datacenter);
  requireKey(key);
  refuseConflict(query, ['cas', 'acquire', 'release']);
  const flags = query.has('flags') ? requireUint64(query.get('flags')!) : 0n;
  const cas = query.has('cas') ? requireUint64(query.get('cas')!) : undefined;
  if (call.contentLength > MAX_VALUE_BYTES) throw tooLarge(call.contentLength);
  const value = await call.body(MAX_VALUE_BYTES);
  // There are no sessions here, so every one is as unknown as it would be to Consul.
  if (query.has('acquire')) throw unknownSession(query.get('acquire')!);
  if (query.has('release')) {
    if (query.get('release') === '') throw unknownSession('');
    return { json: false };
  }
  if (cas !== undefined) return { json: context.store.kv.putIf(key, value, flags.toString(), Number(cas)) };
  context.store.kv.put(key, value, flags.toString());
  return { json: true };
}

function remove(context: Context, call: Call): Reply {
  const { rest: key, query } = call;
  const { kv } = context.store;
  refuseOtherDatacenter(query, context.identity.datacenter);
  refuseConflict(query, ['recurse', 'cas']);
  if (query.has('recurse')) {
    kv.deleteTree(key);
    return { json: true };
  }
  requireKey(key);
  if (query.has('cas')) return { json: kv.deleteIf(key, Number(requireUint64(query.get('cas')!))) };
  kv.delete(key);
  return { json: true };
}

function requireKey(key: string): void {
  if (key === '') throw badRequest('Missing key name');
}

function refuseConflict(query: URLSearchParams, names: readonly string[]): void {
  if (names.filter((name) => query.has(name)).length < 2) return;
  const sorted = new URLSearchParams(query);
  sorted.sort();
  throw badRequest(`Conflicting flags: ${sorted.toString()}\n`);
}

function unknownSession(session: string): HttpError {
  const reason = session === '' ? 'missing session' : `invalid session ${JSON.stringify(session)}`;
  return new HttpError(500, `raft apply failed: ${reason}`);
}

function tooLarge(bytes: number): HttpError {
  return new HttpError(
    413,
    `Request body(${bytes} bytes) too large, max size: ${MAX_VALUE_BYTES} bytes. See https://www.consul.io/docs/agent/config/config-files#kv_max_value_size.`,
  );
}
