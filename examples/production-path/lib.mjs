// What the services of the example share: where the IDCs are, and how names are looked up in them.
import {
  consulServiceMapping,
  consulSources,
  createResolver,
  createTopology,
  motanGroupMapping,
  templateMapping,
} from '../../dist/motan/index.js';

/** Every IDC has an address of its own; the ports are the same everywhere, as the names say. */
export const IDCS = { a: '127.0.1.1', b: '127.0.2.1', cloud: '127.0.3.1' };

/**
 * Names of the example's services. In a Consul of yours (`setup.consul`) they carry a mark of their own, so that they meet none of
 * the services that are there.
 */
export const serviceNames = ({ mark }) => ({ rs: `rs${mark}`, user: `user${mark}`, api: `api${mark}` });

/** Where a service that stands in `idc` finds its registry. */
export const registryOf = (idc, { consul, ports }) => consul ?? `http://${IDCS[idc]}:${ports.registry}`;

/** Opens the resolver of a service that stands in `local`. */
export function openResolver(local, setup) {
  const motan = motanGroupMapping();
  // Services are Motan groups (user.a). Redis is a plain service of each IDC's registry, or, where all IDCs share one, has the IDC
  // in the service's name.
  const plain = setup.consul === undefined ? consulServiceMapping : templateMapping('{resource}-{idc}');
  const topology = createTopology({
    local,
    idcs: Object.keys(IDCS).map((name) => ({
      name,
      registry: registryOf(name, setup),
      // A standard server is weight 20; those of the cloud are a fifth slower.
      ...(name === 'cloud' && { capacityFactor: 0.8 }),
    })),
    mapping: (name, idc) => (name.resource === serviceNames(setup).user ? motan : plain)(name, idc),
  });
  const sources = consulSources({ addresses: [registryOf(local, setup)], intervalMs: 200 });
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
