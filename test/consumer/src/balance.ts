import { createBalancer, createServer, type PickRequest } from 'upsync';

/** The balancer on its own: nginx's exact sequence for weights 5, 1 and 1. */
export function balance(): string {
  const servers = [
    createServer('a:80', { weight: 5 }),
    createServer('b:80', { weight: 1 }),
    createServer('c:80', { weight: 1 }),
  ];
  const balancer = createBalancer({ method: 'round_robin', seed: 0, loadFactor: 1.25 }, servers);
  let sequence = '';
  for (let i = 0; i < 7; i += 1) {
    const request: PickRequest = { now: performance.now(), key: '', tried: [] };
    const peer = balancer.pick(request);
    if (peer === undefined) break;
    sequence += peer.server.address[0];
    balancer.done(peer, false, performance.now(), 1);
  }
  return sequence;
}
