import type { RejectedEntry } from '../upstream/errors.ts';
import type { GroupPlan } from './commands/evaluate.ts';
import type { HoldOptions, Membership } from './members.ts';
import { rank, type RankedPlace } from './ranking.ts';
import type { Resolution, ResolutionReason, ResolutionState, TrafficPlan } from './resolution.ts';
import type { SpillOptions } from './spill.ts';

/** What is believed of one IDC when an answer is put together. */
export interface ComposedPlace {
  readonly idc: string;
  readonly capacityFactor: number;
  /** Motan group behind the IDC, when names are Motan groups. */
  readonly group: string | undefined;
  readonly membership: Membership;
  readonly origin: 'none' | 'snapshot' | 'registry';
  /** When the registry last vouched for the servers. */
  readonly confirmedAt: number | undefined;
  /** Why the registry cannot be asked at the moment. */
  readonly error: string | undefined;
  /** Entries of the registry that cannot be read, and how many servers are used as they were read before. */
  readonly rejected: readonly RejectedEntry[];
  readonly unreadable: number;
}

export interface ComposeInput {
  readonly name: string;
  /** Best IDC first. */
  readonly places: readonly ComposedPlace[];
  readonly now: number;
  readonly spill?: SpillOptions;
  readonly hold?: HoldOptions;
  /** Evaluated commands of the name's Motan group. */
  readonly command?: GroupPlan | undefined;
  readonly localIp: string;
  readonly plan?: TrafficPlan | undefined;
}

/** A resolution without what only its sequence gives it. */
export type Composed = Omit<Resolution, 'version' | 'at'>;

const WORST: readonly ResolutionState[] = ['live', 'held', 'stale'];

/** Puts the answer to a name together from what is believed of its IDCs. Pure. A command wins over a traffic plan. */
export function compose(input: ComposeInput): Composed {
  const { name, places, now, command } = input;
  const reasons: ResolutionReason[] = [];
  const ranked = routed(input, reasons);
  const isCommanded = command !== undefined && (command.command !== undefined || command.mode !== 'own');
  const steering = isCommanded ? commanded(command, places) : planned(input);
  const ranking = rank(ranked, now, { ...input.spill, ...input.hold, ...steering });
  const states = places.map((place, at) => placeState(place, ranking.places[at]!.kept, reasons));
  const steered = steeredBy(input);
  if (steered !== undefined) reasons.push({ idc: places[0]!.idc, ...steered });
  command?.problems.forEach(({ code, where, reason }) => {
    reasons.push({ idc: places[0]!.idc, code, text: `${where}: ${reason}` });
  });
  if (!ranking.planUsed)
    reasons.push({
      idc: places[0]!.idc,
      code: 'PLAN_UNUSABLE',
      text: 'no data centre of the traffic plan or command can serve; the order of the data centres decides',
    });
  const idcs = places.map(({ idc }, at) => {
    const { share, total, healthy, panic } = ranking.places[at]!;
    if (panic && share > 0)
      reasons.push({
        idc,
        code: 'PANIC',
        text: `only ${healthy} of ${total} servers are healthy and nobody can help; all are used`,
      });
    return Object.freeze({ idc, rank: at, share, servers: total, healthy, panic, state: states[at]! });
  });
  const unsure = places.filter((_, at) => states[at] === 'stale' || states[at] === 'held');
  const since = unsure.flatMap(({ confirmedAt }) => confirmedAt ?? []);
  return {
    name,
    state: overallState(states),
    reasons: Object.freeze(reasons.map((reason) => Object.freeze(reason))),
    servers: Object.freeze(ranking.servers),
    idcs: Object.freeze(idcs),
    staleSince: since.length === 0 ? undefined : Math.min(...since),
  };
}

/** True when a reader of the one would notice the other. */
export function sameComposed(a: Composed, b: Composed): boolean {
  return (
    a.state === b.state &&
    a.staleSince === b.staleSince &&
    sameItems(a.servers, b.servers) &&
    sameItems(a.idcs, b.idcs) &&
    sameItems(a.reasons, b.reasons)
  );
}

// Route rules take servers out before anything is counted; they are ignored when they would leave none.
function routed(input: ComposeInput, reasons: ResolutionReason[]): readonly RankedPlace[] {
  const { places, command, localIp } = input;
  const bare = places.map(({ idc, capacityFactor, membership }) => ({
    idc,
    capacityFactor,
    members: membership.members,
  }));
  const rules = command?.routeRules.filter((rule) => rule.from(localIp)) ?? [];
  if (rules.length === 0) return bare;
  const cut = bare.map((place) => ({
    ...place,
    members: place.members.filter(({ provider }) => rules.every((rule) => rule.to(provider.host))),
  }));
  if (cut.some(({ members }) => members.length > 0) || bare.every(({ members }) => members.length === 0))
    return cut;
  const text = 'the route rules of the command leave no server; they are ignored';
  reasons.push({ idc: places[0]!.idc, code: 'ROUTE_RULES_EMPTY', text });
  return bare;
}

function planned({ plan }: ComposeInput): { weights?: Readonly<Record<string, number>> } {
  return plan === undefined ? {} : { weights: plan.weights };
}

function commanded(
  command: GroupPlan,
  places: readonly ComposedPlace[],
): { weights?: Readonly<Record<string, number>>; mix?: readonly string[] } {
  const idcOf = (group: string): string =>
    (group === '' ? places[0]! : places.find((place) => place.group === group))?.idc ?? group;
  if (command.mode === 'mix') return { mix: command.groups.map(({ group }) => idcOf(group)) };
  if (command.mode === 'weighted')
    return {
      weights: Object.fromEntries(command.groups.map(({ group, weight }) => [idcOf(group), weight ?? 1])),
    };
  return {};
}

function steeredBy({ command, plan }: ComposeInput): Pick<ResolutionReason, 'code' | 'text'> | undefined {
  const used = command?.command;
  if (used !== undefined)
    return {
      code: 'COMMAND',
      text: `${used.where} of the group's commands decides: ${used.remark ?? 'no remark'}`,
    };
  return plan === undefined ? undefined : { code: 'PLAN', text: plan.reason };
}

// An IDC nothing is known about makes the whole uncertain, unless nothing is known about any.
function overallState(states: readonly ResolutionState[]): ResolutionState {
  if (states.every((state) => state === 'pending')) return 'pending';
  const ranks = states.map((state) => WORST.indexOf(state === 'pending' ? 'stale' : state));
  return WORST[Math.max(...ranks)]!;
}

function placeState(place: ComposedPlace, kept: number, reasons: ResolutionReason[]): ResolutionState {
  const { idc, origin, confirmedAt, error, membership, rejected, unreadable } = place;
  const age = confirmedAt === undefined ? '' : ` of ${new Date(confirmedAt).toISOString()}`;
  if (error !== undefined)
    reasons.push({ idc, code: 'REGISTRY_ERROR', text: `the registry cannot be asked: ${error}` });
  if (origin === 'snapshot')
    reasons.push({ idc, code: 'SNAPSHOT', text: `the snapshot on disk${age} is used` });
  if (membership.emptySince !== undefined)
    reasons.push({
      idc,
      code: 'EMPTY_HELD',
      text: 'the registry shows no server; the ones before are kept until that is confirmed',
    });
  if (kept > 0)
    reasons.push({
      idc,
      code: 'REMOVAL_CAP',
      text: `${kept} failing servers stay in use, too many failed too quickly`,
    });
  if (rejected.length > 0)
    reasons.push({ idc, code: 'ENTRIES_REJECTED', text: rejectedText(rejected, unreadable) });
  const missing = membership.members.some(({ provider }) => provider.health === 'missing');
  if (origin === 'none') {
    reasons.push({ idc, code: 'UNKNOWN', text: 'its servers are not known yet' });
    return 'pending';
  }
  if (origin === 'snapshot' || error !== undefined) return 'stale';
  const isHeld = membership.emptySince !== undefined || kept > 0 || missing || unreadable > 0;
  return isHeld ? 'held' : 'live';
}

function rejectedText(rejected: readonly RejectedEntry[], unreadable: number): string {
  const [first] = rejected;
  const kept = unreadable === 0 ? '' : ` (servers kept as they were read before: ${unreadable})`;
  return `entries of the registry that cannot be used: ${rejected.length}${kept}, the first ${first!.where}: ${first!.reason}`;
}

function sameItems<T extends object>(a: readonly T[], b: readonly T[]): boolean {
  return a.length === b.length && a.every((one, at) => sameFields(one, b[at]!));
}

function sameFields<T extends object>(a: T, b: T): boolean {
  for (const field in a) if (a[field] !== b[field]) return false;
  return true;
}
