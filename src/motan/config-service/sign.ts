import { createHash } from 'node:crypto';

/** One server as the config service shows it. */
export interface ServiceNode {
  /** `10.0.0.1:6379`. */
  readonly host: string;
  readonly extInfo: string;
}

/** What a lookup of a service shows. */
export interface ServiceNodes {
  readonly working: readonly ServiceNode[];
  readonly unreachable: readonly ServiceNode[];
}

/** Sign of a group without keys. */
export const EMPTY_SIGN = md5('');

/** Content hash of a set of nodes: the same set has the same sign, whatever the order and the cluster. */
export function nodesSign({ working, unreachable }: ServiceNodes): string {
  const line = (state: string) => (node: ServiceNode) => JSON.stringify([state, node.host, node.extInfo]);
  return md5([...working.map(line('w')), ...unreachable.map(line('u'))].sort().join('\n'));
}

/** Sign of a static group: MD5 over key, value and the value's own MD5, in the order of the keys. */
export function groupSign(group: ReadonlyMap<string, string>): string {
  const keys = [...group.keys()].sort();
  return keys.length === 0
    ? EMPTY_SIGN
    : md5(keys.map((key) => `${key}${group.get(key)}${md5(group.get(key)!)}`).join(''));
}

function md5(text: string): string {
  return createHash('md5').update(text).digest('hex');
}
