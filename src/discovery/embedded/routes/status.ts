import type { Context } from '../context.ts';
import { formatAddress } from '../../../upstream/address.ts';
import { notHere } from '../http/errors.ts';
import type { Route } from '../http/router.ts';

const FRONT_PAGE = "Upsync's embedded registry. It speaks Consul's HTTP API; see /v1/catalog/services.\n";
const ANY = ['GET', 'PUT', 'POST', 'DELETE'];

/** Parts of Consul's API that are named in a reply of 501, so that nobody takes them for an empty success. */
const ELSEWHERE: readonly (readonly [path: string, what: string])[] = [
  ['/v1/session/', 'Sessions and locks are'],
  ['/v1/txn', 'Transactions are'],
  ['/v1/acl/', 'Access control is'],
  ['/v1/event/', 'Events are'],
  ['/v1/query', 'Prepared queries are'],
  ['/v1/query/', 'Prepared queries are'],
  ['/v1/snapshot', 'Snapshots are'],
  ['/v1/config', 'Config entries are'],
  ['/v1/config/', 'Config entries are'],
  ['/v1/connect/', 'The service mesh is'],
  ['/v1/health/connect/', 'The service mesh is'],
  ['/v1/catalog/connect/', 'The service mesh is'],
  ['/v1/coordinate/', 'Coordinates are'],
  ['/v1/operator/', 'Operating a cluster is'],
  ['/v1/peering/', 'Peering is'],
  ['/v1/internal/', 'Internals are'],
  ['/v1/agent/', 'This part of the agent is'],
];

/** `/v1/status/…`, the front page, and an honest answer for what is not there. */
export function statusRoutes(context: Context): Route[] {
  const leader = formatAddress(context.identity.address, context.identity.port);
  return [
    { path: '/v1/status/leader', methods: ['GET'], handle: () => ({ json: leader }) },
    { path: '/v1/status/peers', methods: ['GET'], handle: () => ({ json: [leader] }) },
    {
      path: '/',
      methods: ['GET'],
      handle: () => ({
        headers: { 'Content-Type': 'text/plain; charset=utf-8' },
        raw: Buffer.from(FRONT_PAGE),
      }),
    },
    ...ELSEWHERE.map(([path, what]): Route => ({
      path,
      methods: ANY,
      isElsewhere: true,
      handle: () => {
        throw notHere(what);
      },
    })),
  ];
}
