import { UpsyncError } from '../../upstream/errors.ts';
import type { NameReader } from '../resolution.ts';
import { NameGate, nameOf, nodesOf } from './name-nodes.ts';
import { badRequest, type Services, type ServiceType } from './services.ts';
import { groupSign, nodesSign, type ServiceNodes } from './sign.ts';
import type { StaticGroups } from './static-groups.ts';

/** What a client asks, method and form of the request apart. */
export interface Call {
  readonly path: string;
  readonly action: string;
  /** It came as a POST: only such calls may change something. */
  readonly isWrite: boolean;
  get(parameter: string): string;
  /** Raw body, for heartbeats sent as JSON. */
  readonly body: string;
  /** Who asks may change something. */
  readonly mayWrite: boolean;
}

/** `unchanged` is a 304; anything else is the body of a 200. */
export type Outcome = { readonly body: unknown } | 'unchanged';

export interface ActionsOptions {
  readonly resolver: NameReader | undefined;
  readonly services: Services;
  readonly groups: StaticGroups;
  readonly readyTimeoutMs: number;
  readonly maxNames: number;
  /** Part of the lookups for update that are told a change; the others hear of it the next time. 0..1. */
  readonly changedShare: number;
  readonly random: () => number;
}

type Action = (call: Call) => Outcome | Promise<Outcome>;

const NAME_IDLE_MS = 120_000;

/** What the config service can do, by path and action. */
export function createActions(options: ActionsOptions): (call: Call) => Promise<Outcome> {
  const naming = namingActions(options);
  const config = configActions(options);
  const admin = adminActions(options);
  const table: Readonly<Record<string, Readonly<Record<string, Action>>>> = {
    '/naming/service': naming,
    '/naming/admin': admin,
    '/1/config/service': config,
  };
  return async (call) => {
    const actions = Object.hasOwn(table, call.path) ? table[call.path]! : undefined;
    if (actions === undefined) throw new UpsyncError('NOT_FOUND', `there is nothing at ${call.path}`);
    if (!Object.hasOwn(actions, call.action))
      throw badRequest(`unknown action; known are ${Object.keys(actions).join(', ')}`);
    if (WRITES.has(call.action)) {
      if (!call.isWrite) throw badRequest(`${call.action} must be sent by POST`);
      if (!call.mayWrite)
        throw new UpsyncError('NOT_ALLOWED', `${call.action} is only for the addresses of the white list`);
    }
    return actions[call.action]!(call);
  };
}

const WRITES: ReadonlySet<string> = new Set([
  ...['register', 'unregister', 'batchunregister', 'heartbeat'],
  ...['addservice', 'updateservice', 'deleteservice', 'addcluster', 'deletecluster'],
]);

function namingActions({
  resolver,
  services,
  readyTimeoutMs,
  maxNames,
  changedShare,
  random,
}: ActionsOptions): Record<string, Action> {
  const gate = new NameGate(maxNames, NAME_IDLE_MS);
  const nodes = async (call: Call): Promise<ServiceNodes> => {
    const service = required(call, 'service');
    const cluster = call.get('cluster');
    const registered = services.lookup(service, cluster);
    const isInUse = registered !== undefined && registered.working.length + registered.unreachable.length > 0;
    if (isInUse) return registered;
    const name = nameOf(service, cluster);
    try {
      // Registered once and left again: an empty cluster must not hide the servers of a name.
      if (name !== undefined && resolver !== undefined)
        return nodesOf(await gate.resolve(resolver, name, readyTimeoutMs));
    } catch (error) {
      if (registered === undefined || !isNoName(error)) throw error;
    }
    if (registered === undefined) throw badRequest('there is no such service and cluster');
    return registered;
  };
  const shown = (call: Call, found: ServiceNodes, sign: string): Outcome => ({
    body: { service: call.get('service'), cluster: call.get('cluster'), sign, nodes: found },
  });
  return {
    lookup: async (call) => {
      const found = await nodes(call);
      return shown(call, found, nodesSign(found));
    },
    lookupforupdate: async (call) => {
      const found = await nodes(call);
      const sign = nodesSign(found);
      const told = call.get('sign');
      // Only a client that has a list already can wait for the next one.
      const waits = told !== '' && changedShare < 1 && random() >= changedShare;
      return told === sign || waits ? 'unchanged' : shown(call, found, sign);
    },
    getsign: async (call) => ({ body: { sign: nodesSign(await nodes(call)) } }),
    register: (call) => {
      services.register(
        required(call, 'service'),
        call.get('cluster'),
        required(call, 'node'),
        call.get('extInfo'),
      );
      return { body: true };
    },
    unregister: (call) => ({
      body: services.unregister(required(call, 'service'), call.get('cluster'), required(call, 'node')),
    }),
    batchunregister: (call) => {
      const nodeList = required(call, 'node').split(',');
      const [service, cluster] = [required(call, 'service'), call.get('cluster')];
      return { body: nodeList.filter((node) => services.unregister(service, cluster, node.trim())).length };
    },
    heartbeat: (call) => ({ body: { unknown: beat(call, services) } }),
  };
}

function configActions({ groups }: ActionsOptions): Record<string, Action> {
  const lookup = (call: Call): Outcome => {
    const group = required(call, 'group');
    const key = call.get('key');
    const all = [...groups.get(group)].sort(([a], [b]) => (a < b ? -1 : 1));
    const nodes = all
      .filter(([one]) => key === '' || one === key)
      .map(([one, value]) => ({ key: one, value }));
    return { body: { group, sign: groupSign(groups.get(group)), nodes } };
  };
  return {
    lookup,
    lookupforupdate: (call) =>
      call.get('sign') === groupSign(groups.get(required(call, 'group'))) ? 'unchanged' : lookup(call),
    getsign: (call) => ({ body: { sign: groupSign(groups.get(required(call, 'group'))) } }),
    getgroup: () => ({ body: { groups: groups.names() } }),
    getkeys: (call) => ({ body: { keys: [...groups.get(required(call, 'group')).keys()].sort() } }),
    register: async (call) => {
      await groups.set(required(call, 'group'), required(call, 'key'), call.get('value'));
      return { body: true };
    },
    unregister: async (call) => {
      await groups.delete(required(call, 'group'), required(call, 'key'));
      return { body: true };
    },
  };
}

function adminActions({ services }: ActionsOptions): Record<string, Action> {
  const typeOf = (call: Call): ServiceType | undefined => {
    const type = call.get('type');
    if (type === '' || type === 'dynamic' || type === 'statics') return type === '' ? undefined : type;
    throw badRequest('type must be dynamic or statics');
  };
  const thresholdOf = (call: Call): number | undefined => {
    const threshold = call.get('threshold');
    return threshold === '' ? undefined : Number(threshold);
  };
  const described = (call: Call): NonNullable<ReturnType<Services['describe']>> => {
    const found = services.describe(required(call, 'service'));
    if (found === undefined) throw badRequest('there is no such service');
    return found;
  };
  return {
    addservice: (call) => {
      services.add(required(call, 'service'), typeOf(call), thresholdOf(call));
      return { body: true };
    },
    updateservice: (call) => {
      services.update(required(call, 'service'), typeOf(call), thresholdOf(call));
      return { body: true };
    },
    getservice: (call) => ({ body: { service: call.get('service'), ...described(call) } }),
    deleteservice: (call) => ({ body: services.delete(required(call, 'service')) }),
    addcluster: (call) => {
      described(call);
      services.addCluster(call.get('service'), required(call, 'cluster'));
      return { body: true };
    },
    getcluster: (call) => ({ body: { service: call.get('service'), clusters: described(call).clusters } }),
    deletecluster: (call) => ({
      body: services.deleteCluster(required(call, 'service'), required(call, 'cluster')),
    }),
  };
}

// The nodes that are not registered are told back, so that their owners register again.
function beat(call: Call, services: Services): readonly string[] {
  const text = call.get('message') || call.body;
  let message: unknown;
  try {
    message = JSON.parse(text);
  } catch {
    throw badRequest('the heartbeat is no JSON');
  }
  const list = (message as { heartBeat?: unknown } | null)?.heartBeat;
  if (!Array.isArray(list)) throw badRequest('the heartbeat has no list heartBeat');
  const unknown: string[] = [];
  for (const one of list as ({ service?: unknown; clusters?: unknown } | null)[])
    for (const entry of Array.isArray(one?.clusters) ? (one.clusters as unknown[]) : []) {
      const { cluster, node } = (entry ?? {}) as { cluster?: unknown; node?: unknown };
      const words = [one?.service, cluster, node];
      if (!words.every((word): word is string => typeof word === 'string')) continue;
      if (!services.heartbeat(words[0]!, words[1]!, words[2]!)) unknown.push(words.join(' '));
    }
  return unknown;
}

function isNoName(error: unknown): boolean {
  return error instanceof UpsyncError && ['BAD_NAME', 'UNKNOWN_IDC'].includes(error.code);
}

function required(call: Call, parameter: string): string {
  const value = call.get(parameter);
  if (value === '') throw badRequest(`${parameter} is missing`);
  return value;
}
