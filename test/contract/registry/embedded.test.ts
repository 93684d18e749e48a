import { startEmbeddedRegistry } from '../../helpers/embedded-registry.ts';
import { registryContract } from './registry.contract.ts';

registryContract('the embedded registry', async () => {
  const registry = await startEmbeddedRegistry();
  return {
    url: registry.url,
    datacenter: 'dc1',
    node: 'upsync-registry',
    stop: async () => registry.close(),
  };
});
