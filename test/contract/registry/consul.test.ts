import { describe, expect, it } from 'vitest';
import { consulRequired, locateConsul, NO_CONSUL, startConsul } from '../../helpers/consul.ts';
import { registryContract } from './registry.contract.ts';

// Where a real Consul is required, a missing one fails here instead of being passed over.
const binary = await locateConsul().catch((error: unknown) => {
  if (consulRequired) throw error;
  return undefined;
});

if (binary !== undefined) registryContract('a real Consul', async () => startConsul());
else {
  console.warn(NO_CONSUL);
  describe('a real Consul as a registry', () => {
    it('is absent here, and nothing demands it', () => {
      expect(consulRequired).toBe(false);
    });
  });
}
