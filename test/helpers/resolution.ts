import type { Resolution, ResolvedServer } from '../../src/motan/resolution.ts';

/** `a1 0.7` is server a1 of IDC a (rank 0) with that share; `b1 0 critical` is a failing one. */
export function resolutionOf(...texts: readonly string[]): Resolution {
  const servers = texts.map((text): ResolvedServer => {
    const [address, share, health = 'passing'] = text.split(' ');
    const idc = address!.charAt(0);
    const rank = 'abc'.indexOf(idc);
    return {
      address: address!,
      host: address!,
      port: 1,
      idc,
      rank,
      weight: 1,
      share: Number(share),
      health: health as 'passing',
      since: 0,
    };
  });
  return {
    name: 'rs.a.1',
    version: 1,
    state: 'live',
    reasons: [],
    servers,
    idcs: [],
    at: 0,
    staleSince: undefined,
  };
}
