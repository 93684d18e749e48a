import { type BodyError, type ListUpdate, parseLists } from './body.ts';
import { type Commit, announce, commitList } from './commit.ts';
import { BOOT, GENERATION, LISTS, dict, hashAt, numberAt, textAt } from './dictionary.ts';
import { jsonMember, jsonNumber, jsonObject, jsonText } from './json.ts';
import { lock, unlock } from './lock.ts';
import { keptPeers } from './kept-peers.ts';
import { locationsWithoutLog } from './log-phase.ts';
import { self } from './self.ts';
import { all, upstreamNamed } from './upstreams.ts';
import { allReached, workerStates } from './workers.ts';

/** Longest a `PUT` may ask to wait for the workers. Milliseconds. */
const MAX_WAIT_MS = 10_000;
const LOCK_SECONDS = 5;
/** Lists written between two pauses. */
const PAUSE_EVERY = 256;

/** The control server on the unix socket: `PUT /lists`, `GET /state`, `GET /workers`. */
export function control(): void {
  const route = `${ngx.req.get_method()} ${ngx.var.uri}`;
  if (route === 'PUT /lists') return putLists();
  if (route === 'GET /state')
    return respond(200, jsonObject([...common(), jsonMember('upstreams', states())]));
  if (route === 'GET /workers') return respond(200, jsonObject(common()));
  respondError(404, 'NOT_FOUND', 'there are PUT /lists, GET /state and GET /workers', []);
}

function putLists(): void {
  ngx.req.read_body();
  const body = requestBody();
  if (body === undefined) return respondError(400, 'NO_BODY', 'the body is empty or cannot be read', []);
  const updates = parseLists(body, pause);
  if (isBodyError(updates))
    return respondError(400, 'BAD_LISTS', `line ${updates.line} ${updates.reason}; nothing was changed`, []);
  if (!lock(LOCK_SECONDS))
    return respondError(503, 'BUSY', 'another request is changing lists; nothing was changed', []);
  const before = numberAt(LISTS);
  const commits: Commit[] = [];
  const unknown: string[] = [];
  const [done, result] = pcall(commitAll, updates, commits, unknown);
  unlock();
  if (!done) return respondError(500, 'INTERNAL', tostring(result), []);
  waitForWorkers(result);
  report(commits, unknown, result, before);
}

function commitAll(updates: readonly ListUpdate[], commits: Commit[], unknown: string[]): number {
  for (const update of updates) {
    const upstream = upstreamNamed(update.name);
    if (upstream === undefined) unknown.push(update.name);
    else commits.push(commitList(upstream, update));
    if (commits.length % PAUSE_EVERY === PAUSE_EVERY - 1) pause();
  }
  return announce(commits);
}

/** Answers are the sooner the fewer round trips: the sender is told when the workers have it, not merely the dictionary. */
function waitForWorkers(generation: number): void {
  const wanted = math.min(tonumber(ngx.var.arg_wait) ?? 0, MAX_WAIT_MS) / 1000;
  let waited = 0;
  while (waited < wanted && !allReached(generation)) {
    ngx.sleep(0.002);
    waited += 0.002;
  }
}

function report(
  commits: readonly Commit[],
  unknown: readonly string[],
  generation: number,
  before: number,
): void {
  const accepted: string[] = [];
  const failed: string[] = [];
  const free = dict.free_space();
  let status = 200;
  for (const name of unknown) {
    status = 422;
    failed.push(
      jsonMember(name, errorObject('UNKNOWN_UPSTREAM', 'nginx was not started with this upstream', [])),
    );
  }
  for (const commit of commits) {
    if (commit.needed > 0) {
      status = 507;
      failed.push(jsonMember(commit.upstream.name, full(commit.needed, free)));
      continue;
    }
    accepted.push(
      jsonMember(
        commit.upstream.name,
        jsonObject([
          jsonMember('version', jsonNumber(commit.version)),
          jsonMember('generation', jsonNumber(generation)),
          jsonMember('changed', commit.changed ? 'true' : 'false'),
        ]),
      ),
    );
  }
  const members = common();
  members.push(jsonMember('before', jsonNumber(before)));
  members.push(jsonMember('upstreams', jsonObject(accepted)), jsonMember('failed', jsonObject(failed)));
  respond(status, jsonObject(members));
}

function full(needed: number, free: number): string {
  return errorObject(
    'DICTIONARY_FULL',
    `the list needs ${jsonNumber(needed)} bytes and the shared dictionary has ${jsonNumber(free)} left: the old list stays`,
    [jsonMember('needed', jsonNumber(needed)), jsonMember('free', jsonNumber(free))],
  );
}

function common(): string[] {
  const workers: string[] = [];
  for (const worker of workerStates()) {
    const bad: string[] = [];
    for (const [name, version] of string.gmatch(worker.bad, '([^\n]+)=(%d+)\n'))
      bad.push(jsonMember(name!, version!));
    workers.push(
      jsonObject([
        jsonMember('id', jsonNumber(worker.id)),
        jsonMember('pid', jsonNumber(worker.pid)),
        jsonMember('generation', jsonNumber(worker.generation)),
        jsonMember('bad', jsonObject(bad)),
      ]),
    );
  }
  return [
    jsonMember('boot', jsonText(textAt(BOOT) ?? '')),
    jsonMember('cycle', jsonNumber(self.cycle)),
    jsonMember('generation', jsonNumber(numberAt(GENERATION))),
    jsonMember('lists', jsonNumber(numberAt(LISTS))),
    jsonMember('capacity', jsonNumber(dict.capacity())),
    jsonMember('free', jsonNumber(dict.free_space())),
    jsonMember('locationsWithoutLog', jsonNumber(locationsWithoutLog())),
    jsonMember('keptPeers', jsonNumber(keptPeers())),
    jsonMember('workers', `[${table.concat(workers, ',')}]`),
  ];
}

function states(): string {
  const members: string[] = [];
  for (const upstream of all) {
    if (members.length % PAUSE_EVERY === PAUSE_EVERY - 1) pause();
    members.push(
      jsonMember(
        upstream.name,
        jsonObject([
          jsonMember('version', jsonNumber(numberAt(upstream.versionKey))),
          jsonMember('crc', jsonNumber(hashAt(upstream.versionKey))),
          jsonMember('generation', jsonNumber(numberAt(upstream.generationKey))),
          jsonMember('servers', jsonNumber(upstream.balancer.peers.length)),
        ]),
      ),
    );
  }
  return jsonObject(members);
}

function requestBody(): string | undefined {
  const body = ngx.req.get_body_data();
  if (body !== undefined) return body;
  const file = ngx.req.get_body_file();
  if (file === undefined) return undefined;
  const [source] = io.open(file, 'rb');
  const text = source?.read('*a');
  source?.close();
  return text;
}

function isBodyError(parsed: ListUpdate[] | BodyError): parsed is BodyError {
  return (parsed as BodyError).reason !== undefined;
}

/** Lets requests have their turn; not 0, which nginx without OpenResty's patches warns about. */
function pause(): void {
  ngx.sleep(0.001);
}

function errorObject(code: string, message: string, more: readonly string[]): string {
  return jsonObject([jsonMember('code', jsonText(code)), jsonMember('message', jsonText(message)), ...more]);
}

function respondError(status: number, code: string, message: string, more: readonly string[]): void {
  respond(status, jsonObject([jsonMember('error', errorObject(code, message, more))]));
}

function respond(status: number, json: string): void {
  ngx.status = status;
  ngx.header.content_type = 'application/json';
  ngx.header.content_length = json.length + 1;
  ngx.print(`${json}\n`);
}
