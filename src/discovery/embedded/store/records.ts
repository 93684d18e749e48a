/** A machine of the catalog. Member names are those of Consul's API, so that filters and replies use them directly. */
export interface NodeRecord {
  readonly ID: string;
  readonly Node: string;
  readonly Address: string;
  readonly Datacenter: string;
  readonly TaggedAddresses: Readonly<Record<string, string>> | null;
  readonly Meta: Readonly<Record<string, string>> | null;
  readonly CreateIndex: number;
  readonly ModifyIndex: number;
}

/** Address and port under a name, as in `TaggedAddresses`. */
export interface TaggedAddress {
  readonly Address: string;
  readonly Port: number;
}

/** One instance of a service on a node. */
export interface ServiceRecord {
  readonly Node: string;
  readonly ID: string;
  readonly Service: string;
  readonly Tags: readonly string[] | null;
  readonly Address: string;
  readonly TaggedAddresses: Readonly<Record<string, TaggedAddress>> | null;
  readonly Meta: Readonly<Record<string, string>> | null;
  readonly Port: number;
  readonly SocketPath: string;
  readonly Weights: { readonly Passing: number; readonly Warning: number };
  readonly EnableTagOverride: boolean;
  readonly CreateIndex: number;
  readonly ModifyIndex: number;
}

/** A health check of a node (no `ServiceID`) or of one service on it. */
export interface CheckRecord {
  readonly Node: string;
  readonly CheckID: string;
  readonly Name: string;
  readonly Status: string;
  readonly Notes: string;
  readonly Output: string;
  readonly ServiceID: string;
  readonly ServiceName: string;
  readonly ServiceTags: readonly string[] | null;
  readonly Type: string;
  readonly Interval: string;
  readonly Timeout: string;
  readonly CreateIndex: number;
  readonly ModifyIndex: number;
}

/** A record as it is handed in: the store sets the indexes. */
export type Fresh<T> = Omit<T, 'CreateIndex' | 'ModifyIndex'>;

/** True when two records of one node differ in nothing but their indexes and the case of the node's name. */
export function isSame<T extends { Node: string; CreateIndex: number; ModifyIndex: number }>(
  old: T | undefined,
  fresh: Fresh<T>,
): boolean {
  if (old === undefined) return false;
  return (
    canonical({ ...old, Node: '', CreateIndex: 0, ModifyIndex: 0 }) ===
    canonical({ ...fresh, Node: '', CreateIndex: 0, ModifyIndex: 0 })
  );
}

// JSON with the members in order, so that records compare whatever order a client or the file wrote them in.
function canonical(value: unknown): string {
  return JSON.stringify(value, (_name, member: unknown) =>
    typeof member === 'object' && member !== null && !Array.isArray(member)
      ? Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : 1)))
      : member,
  );
}
