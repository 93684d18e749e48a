import { sameServer, type Server } from './server.ts';

/** What changes when one list takes another's place. */
export interface ServersDiff {
  readonly added: readonly Server[];
  readonly removed: readonly Server[];
  /** Same address, other attributes. */
  readonly changed: readonly { readonly before: Server; readonly after: Server }[];
}

/** Tells two lists apart, server by server; the identity is the address. Order does not count. */
export function diffServers(before: readonly Server[], after: readonly Server[]): ServersDiff {
  const left = new Map(before.map((server) => [server.address, server]));
  const added: Server[] = [];
  const changed: { before: Server; after: Server }[] = [];
  for (const server of after) {
    const old = left.get(server.address);
    if (!old) added.push(server);
    else if (!sameServer(old, server)) changed.push({ before: old, after: server });
    left.delete(server.address);
  }
  return { added, removed: [...left.values()], changed };
}

/** True when both lists hold the same servers with the same attributes in the same order. */
export function sameInOrder(a: readonly Server[], b: readonly Server[]): boolean {
  return a === b || (a.length === b.length && a.every((server, at) => sameServer(server, b[at]!)));
}

/** True when both lists hold the same servers with the same attributes, in whatever order. */
export function sameServers(a: readonly Server[], b: readonly Server[]): boolean {
  // Registries keep their order, so equal lists are nearly always equal position by position.
  if (sameInOrder(a, b)) return true;
  if (a.length !== b.length) return false;
  const { added, removed, changed } = diffServers(a, b);
  return added.length + removed.length + changed.length === 0;
}
