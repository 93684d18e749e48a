import { parseName } from '../name.ts';
import { addressOfLabel } from './records.ts';

/** What a name asked for is to this server. */
export type ZoneName =
  /** None of ours. */
  | { readonly kind: 'foreign' }
  /** A `resource.idc.port` name; `zone` is what its SOA belongs to. */
  | { readonly kind: 'resource'; readonly text: string; readonly zone: string }
  /** The suffix itself. */
  | { readonly kind: 'apex'; readonly zone: string }
  /** The name server of the zone. */
  | { readonly kind: 'server'; readonly zone: string }
  /** The synthetic name of an address, the target of SRV records. */
  | {
      readonly kind: 'address';
      readonly zone: string;
      readonly type: 'A' | 'AAAA';
      readonly host: string;
    }
  /** Exists only because something below it does. */
  | { readonly kind: 'between'; readonly zone: string }
  /** Ours, and no such name. */
  | { readonly kind: 'unknown'; readonly zone: string };

/** Label of the zone below which addresses have names. */
export const ADDRESS_LABEL = 'addr';
/** Label of the name server's own name. */
export const SERVER_LABEL = 'ns';

/**
 * Says what a name is: `rs.a.6379.<suffix>`, or `rs.a.6379` as it stands. A bare name is ours when its last label is a number,
 * which no domain of the world ends with; its zone is that label. Pure.
 */
export function classifyName(labels: readonly string[], suffix: readonly string[], local: string): ZoneName {
  const below = labels.length - suffix.length;
  const isInZone = below >= 0 && suffix.every((label, at) => labels[below + at] === label);
  if (isInZone) return inZone(labels.slice(0, below), suffix.join('.'), local);
  const last = labels.at(-1);
  if (last === undefined || !/^\d+$/.test(last)) return { kind: 'foreign' };
  return resource(labels, last, local);
}

function inZone(labels: readonly string[], zone: string, local: string): ZoneName {
  if (labels.length === 0) return { kind: 'apex', zone };
  const last = labels.at(-1)!;
  if (last === SERVER_LABEL) return { kind: labels.length === 1 ? 'server' : 'unknown', zone };
  if (last === ADDRESS_LABEL) {
    if (labels.length === 1) return { kind: 'between', zone };
    const address = labels.length === 2 ? addressOfLabel(labels[0]!) : undefined;
    return address === undefined ? { kind: 'unknown', zone } : { kind: 'address', zone, ...address };
  }
  return resource(labels, zone, local);
}

function resource(labels: readonly string[], zone: string, local: string): ZoneName {
  // A label may hold any byte, a dot as well; it must not become two labels.
  if (labels.some((label) => label.includes('.'))) return { kind: 'unknown', zone };
  // `6379` and `a.6379` are what stands between the zone and its names: "no such name" there would deny all names below.
  const missing = ['x', local].slice(0, Math.max(0, 3 - labels.length));
  try {
    const { text } = parseName([...missing, ...labels].join('.'), local);
    return labels.length < 3 ? { kind: 'between', zone } : { kind: 'resource', text, zone };
  } catch {
    // The resolver's grammar is the only one; what breaks it does not exist.
    return { kind: 'unknown', zone };
  }
}
