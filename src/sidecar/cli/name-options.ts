import type { Command } from 'commander';
import { CONSUL_ADDRESS } from '../../motan/consul-sources.ts';
import { checked, checkRegistryUrl } from './checked.ts';

/** Adds the options that say where names are looked up. */
export function addNameOptions(command: Command): Command {
  return command
    .option('-c, --conf <file>', 'configuration with a motan section')
    .option(
      '--consul <url>',
      `the local Consul agent (default: ${CONSUL_ADDRESS})`,
      checked(checkRegistryUrl),
    )
    .option('--idc <name>', 'the local IDC (default: UPSYNC_IDC, else the datacenter of the agent)')
    .option(
      '--idcs <list>',
      'all IDCs, best first: a,b,cloud or a=http://10.0.0.1:8500,b=http://10.1.0.1:8500',
    )
    .option(
      '--mapping <how>',
      'consul, motan, motan:INTERFACE, or a service name with {resource}, {idc}, {port}',
    )
    .option('--token-file <file>', 'file whose first line is the token of Consul');
}
