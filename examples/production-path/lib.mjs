// What the services of the example share: where the IDCs are, and how names are looked up in them.
import {
  consulServiceMapping,
  consulSources,
  createResolver,
  createTopology,
  motanGroupMapping,
} from '../../dist/motan/index.js';

/** Every IDC has an address of its own; the ports are the same everywhere, as the names say. */
export const IDCS = { a: '127.0.1.1', b: '127.0.2.1', cloud: '127.0.3.1' };

/** Opens the resolver of a service that stands in `local`. `ports` are those of the registries, services and Redis. */
export function openResolver(local, ports) {
  const motan = motanGroupMapping();
  const topology = createTopology({
    local,
    idcs: Object.entries(IDCS).map(([name, host]) => ({
      name,
      registry: `http://${host}:${ports.registry}`,
      // A standard server is weight 20; those of the cloud are a fifth slower.
      ...(name === 'cloud' && { capacityFactor: 0.8 }),
    })),
    // Services are Motan groups (user.a), Redis is a plain service of each IDC's registry.
    mapping: (name, idc) => (name.resource === 'user' ? motan : consulServiceMapping)(name, idc),
  });
  const sources = consulSources({ addresses: [`http://${IDCS[local]}:${ports.registry}`], intervalMs: 200 });
  return createResolver({ topology, providers: sources.providers, commands: sources.commands });
}

/** Ends a service in order, and never later than five seconds after it was told to. */
export function onStop(close) {
  const stop = () => {
    setTimeout(() => process.exit(1), 5000).unref();
    close().then(() => process.exit(0));
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  // The parent is gone: nobody else would end this process.
  process.once('disconnect', stop);
}
