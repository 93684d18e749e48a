import { sameServers } from '../upstream/diff.ts';
import type { SourceList } from './source.ts';

/**
 * True when two lists say the same: the same servers in whatever order, and the same entries refused. The registry's index
 * does not count, since it moves for changes that are none of ours.
 */
export function sameList(a: SourceList, b: SourceList): boolean {
  return (
    sameServers(a.servers, b.servers) &&
    a.rejected.length === b.rejected.length &&
    a.rejected.every(({ where, code, reason }, at) => {
      const other = b.rejected[at]!;
      return where === other.where && code === other.code && reason === other.reason;
    })
  );
}
