import { blockingReplies } from '../discovery/consul-blocking.ts';
import type { ConsulQuery } from '../discovery/consul-query.ts';
import type { RegistryHttp, RegistryReply } from '../discovery/http.ts';
import { PollFloor } from '../discovery/poll-floor.ts';
import { isFields, parseReplyArray } from '../discovery/reply-json.ts';
import { untilAborted } from '../discovery/until-aborted.ts';
import type { RejectedEntry } from '../upstream/errors.ts';
import { readHealthEntry } from './consul-entry.ts';
import type { Provider, ProviderList, ValueSource } from './provider.ts';
import { commandKeyOf } from './service.ts';
import type { RegistryQuery } from './topology.ts';

/** How a Consul agent is polled. */
export interface ConsulPolling {
  readonly http: RegistryHttp;
  /** Polls that bring nothing new come no faster than this on average. Milliseconds. @default 1000 */
  readonly intervalMs?: number;
  /** Longest one poll may take. Milliseconds. @default 360000 */
  readonly timeoutMs?: number;
}

const POLLING = { intervalMs: 1000, timeoutMs: 360_000 };

/** The servers of a Consul service with their health, failing ones included, by blocking queries. */
export function createConsulProviders(
  query: RegistryQuery,
  polling: ConsulPolling,
): ValueSource<ProviderList> {
  let last: ProviderList | undefined;
  return consulValues(
    `/v1/health/service/${encodeURIComponent(query.service)}`,
    query,
    polling,
    [],
    (reply) => {
      const value = readProviders(reply, query);
      const changed =
        last === undefined ||
        !sameProviders(last.providers, value.providers) ||
        !sameRejected(last.rejected, value.rejected);
      last = value;
      return { value, changed };
    },
  );
}

/** The command text of a Motan group, '' when there is none, by blocking queries. */
export function createConsulCommands(group: string, polling: ConsulPolling): ValueSource<string> {
  const path = `/v1/kv/${commandKeyOf(group).split('/').map(encodeURIComponent).join('/')}`;
  let last: string | undefined;
  return consulValues(path, {}, polling, [404], (reply) => {
    const value = reply.status === 404 ? '' : readKvText(reply);
    const changed = value !== last;
    last = value;
    return { value, changed };
  });
}

function consulValues<T>(
  path: string,
  where: Pick<Partial<RegistryQuery>, 'datacenter' | 'stale'>,
  polling: ConsulPolling,
  alsoOk: readonly number[],
  decode: (reply: RegistryReply) => { value: T; changed: boolean },
): ValueSource<T> {
  const { http, intervalMs, timeoutMs } = { ...POLLING, ...polling };
  const query: ConsulQuery = {
    path,
    query: [
      ...(where.datacenter === undefined ? [] : [`dc=${encodeURIComponent(where.datacenter)}`]),
      ...(where.stale === true ? ['stale'] : []),
    ],
    token: undefined,
  };
  const floor = new PollFloor(intervalMs);
  const options = { http, query, floor, intervalMs, timeoutMs, alsoOk, decode };
  async function* values(signal: AbortSignal): AsyncGenerator<T> {
    for await (const { value } of blockingReplies(options, signal)) yield value;
  }
  return {
    description: `consul ${http.description}${query.path}${where.datacenter === undefined ? '' : `?dc=${where.datacenter}`}`,
    values: (signal) => untilAborted(values(signal), signal),
  };
}

function readProviders(reply: RegistryReply, query: RegistryQuery): ProviderList {
  const providers: Provider[] = [];
  const rejected: RejectedEntry[] = [];
  for (const item of parseReplyArray(reply)) {
    const read = readHealthEntry(item, query.group !== undefined);
    if (read.ok) providers.push(read.value);
    else rejected.push(read.error);
  }
  return { providers, rejected, complete: true };
}

function readKvText(reply: RegistryReply): string {
  const [item] = parseReplyArray(reply);
  const value = isFields(item) ? item['Value'] : undefined;
  return typeof value === 'string' ? Buffer.from(value, 'base64').toString('utf8') : '';
}

function sameProviders(a: readonly Provider[], b: readonly Provider[]): boolean {
  return a.length === b.length && a.every((one, at) => sameProvider(one, b[at]!));
}

function sameRejected(a: readonly RejectedEntry[], b: readonly RejectedEntry[]): boolean {
  return (
    a.length === b.length &&
    a.every(({ where, reason }, at) => where === b[at]!.where && reason === b[at]!.reason)
  );
}

function sameProvider(a: Provider, b: Provider): boolean {
  return (
    a.id === b.id &&
    a.address === b.address &&
    a.weight === b.weight &&
    a.health === b.health &&
    a.withdrawn === b.withdrawn &&
    a.motan?.protocol === b.motan?.protocol &&
    a.motan?.path === b.motan?.path &&
    sameParameters(a.motan?.parameters, b.motan?.parameters)
  );
}

function sameParameters(a?: ReadonlyMap<string, string>, b?: ReadonlyMap<string, string>): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a.size === b.size && [...a].every(([name, value]) => b.get(name) === value);
}
