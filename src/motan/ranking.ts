import { type HoldOptions, type Member, protectedMembers } from './members.ts';
import { isHealthy } from './provider.ts';
import type { ResolvedServer } from './resolution.ts';
import { planLoads, spill, type SpillOptions } from './spill.ts';

/** The members of one IDC, in the order the IDCs take traffic. */
export interface RankedPlace {
  readonly idc: string;
  readonly capacityFactor: number;
  readonly members: readonly Member[];
}

export interface RankingOptions extends SpillOptions, HoldOptions {
  /** IDC → relative weight; replaces the order while one of the named IDCs can serve. */
  readonly weights?: Readonly<Record<string, number>> | undefined;
  /** IDCs whose servers form one pool while one of them can serve: Motan's mix mode. */
  readonly mix?: readonly string[] | undefined;
}

export interface Ranking {
  readonly servers: readonly ResolvedServer[];
  /** One entry per place, in order. */
  readonly places: readonly {
    /** 0..1. */
    readonly share: number;
    readonly total: number;
    readonly healthy: number;
    readonly panic: boolean;
    /** Failing servers that are used because the removal cap protects them. */
    readonly kept: number;
  }[];
  /** False when `weights` or `mix` were given but none of their IDCs can serve, so that the order decides. */
  readonly planUsed: boolean;
}

/**
 * Ranks the servers of a name: every server's share of the traffic, IDC by IDC. Pure. The share of an IDC comes from
 * `spill` (or from the weights), the share of a server in its IDC from its weight among those in use.
 */
export function rank(places: readonly RankedPlace[], now: number, options: RankingOptions = {}): Ranking {
  const levels = places.map(({ members }) => ({
    total: members.length,
    healthy: members.filter((member) => isUsable(member)).length,
  }));
  const { loads, panic, short } = spill(levels, options);
  const planned = plannedLoads(places, levels, options);
  const used = places.map(({ members }, index) => {
    if (panic[index]) return { members: new Set(members), kept: 0 };
    const inUse = new Set(members.filter(isUsable));
    // Where another IDC can take the load, a failing server is left alone; where none can, the cap holds.
    const kept = short ? protectedMembers(members, now, options) : new Set<Member>();
    for (const member of kept) inUse.add(member);
    return { members: inUse, kept: kept.size };
  });
  const weighed = places.map((place, index) => {
    const weights = place.members.map((member) =>
      effectiveWeight(member.provider.weight, place.capacityFactor),
    );
    const inUse = place.members.map((member) => used[index]!.members.has(member));
    const sum = weights.reduce((total, weight, at) => total + (inUse[at] ? weight : 0), 0);
    return { weights, inUse, sum };
  });
  const pool =
    options.mix && weighed.map(({ sum }, at) => (options.mix!.includes(places[at]!.idc) ? sum : 0));
  const isPoolUsable = pool?.some((load, at) => load > 0 && levels[at]!.healthy > 0) === true;
  const pooled = isPoolUsable ? pool : undefined;
  const shares = placeShares(pooled ?? planned ?? loads, weighed);
  const servers = places.flatMap((place, index) => {
    const { weights, inUse, sum } = weighed[index]!;
    const perWeight = sum > 0 ? shares[index]! / sum : 0;
    return place.members
      .map((member, at) =>
        resolved(place.idc, index, member, weights[at]!, inUse[at] ? weights[at]! * perWeight : 0),
      )
      .sort((a, b) => (a.address < b.address ? -1 : a.address > b.address ? 1 : 0));
  });
  return {
    servers,
    places: places.map((_, index) => ({
      share: shares[index]!,
      ...levels[index]!,
      panic: panic[index]!,
      kept: used[index]!.kept,
    })),
    planUsed:
      (options.weights === undefined || planned !== undefined) &&
      (options.mix === undefined || pooled !== undefined),
  };
}

/** `weight × factor`, rounded half up and never below 1, so that a small server is not lost; 0 stays 0. */
export function effectiveWeight(weight: number, capacityFactor: number): number {
  return weight <= 0 ? 0 : Math.max(1, Math.round(weight * capacityFactor));
}

function plannedLoads(
  places: readonly RankedPlace[],
  levels: readonly { total: number; healthy: number }[],
  options: RankingOptions,
): readonly number[] | undefined {
  const { weights } = options;
  if (weights === undefined) return undefined;
  const own = (idc: string): number => (Object.hasOwn(weights, idc) ? weights[idc]! : 0);
  return planLoads(
    levels,
    places.map(({ idc }) => own(idc)),
    options,
  );
}

// A place whose servers all weigh 0 cannot take its load; the others share it in proportion, or, when they have none
// of the load, by their weights.
function placeShares(loads: readonly number[], weighed: readonly { sum: number }[]): readonly number[] {
  let carried = loads.map((load, index) => (weighed[index]!.sum > 0 ? load : 0));
  let sum = carried.reduce((total, load) => total + load, 0);
  if (sum === 0) {
    const first = weighed.findIndex((place) => place.sum > 0);
    carried = carried.map((_, index) => (index === first ? 1 : 0));
    sum = first < 0 ? 0 : 1;
  }
  return carried.map((load) => (sum === 0 ? 0 : load / sum));
}

function isUsable(member: Member): boolean {
  return isHealthy(member.provider.health);
}

function resolved(
  idc: string,
  rankOf: number,
  member: Member,
  weight: number,
  share: number,
): ResolvedServer {
  const { address, host, port, health, motan } = member.provider;
  const server = { address, host, port, idc, rank: rankOf, weight, share, health, since: member.since };
  return Object.freeze(motan === undefined ? server : { ...server, motan });
}
