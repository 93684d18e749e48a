import { describe } from 'vitest';
import { agentContract } from './agent.contract.ts';
import { blockingContract } from './blocking.contract.ts';
import { catalogContract } from './catalog.contract.ts';
import { checkContract } from './check.contract.ts';
import { clientContract } from './client.contract.ts';
import { healthContract } from './health.contract.ts';
import { httpContract } from './http.contract.ts';
import { kvContract } from './kv.contract.ts';
import { type Subject, withSubject } from './subject.ts';

/**
 * What Upsync and its users rely on in a registry that speaks Consul's HTTP API. It runs on a real Consul and on the
 * embedded registry; what only one of them does is no part of it, and is listed in docs/embedded-registry.md.
 */
export function registryContract(name: string, start: () => Promise<Subject>): void {
  describe(`${name} as a registry`, () => {
    const running = withSubject(start);
    httpContract(running);
    kvContract(running);
    blockingContract(running);
    catalogContract(running);
    healthContract(running);
    agentContract(running);
    checkContract(running);
    clientContract(running);
  });
}
