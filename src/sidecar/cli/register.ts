import { Command } from 'commander';
import { Registrar } from '../../discovery/registrar.ts';
import { CONSUL_ADDRESS } from '../../motan/consul-sources.ts';
import { createMotanProviders } from '../../motan/heartbeats.ts';
import { registrationBody } from '../../motan/service.ts';
import { parseMotanUrl } from '../../motan/url.ts';
import { parseDuration } from '../../upstream/duration.ts';
import { UpsyncError } from '../../upstream/errors.ts';
import { createLogger } from '../log.ts';
import { openSources } from '../open-names.ts';
import { checked, checkRegistryUrl } from './checked.ts';
import type { CliContext } from './command.ts';
import { stayAlive } from './stay-alive.ts';

interface RegisterFlags {
  readonly consul?: string;
  readonly tokenFile?: string;
  readonly address?: string;
  readonly port?: string;
  readonly id?: string;
  readonly weight?: string;
  readonly tag?: readonly string[];
  readonly ttl: string;
  readonly drain: string;
}

/** `upsync register`. */
export function registerCommand(context: CliContext): Command {
  return new Command('register')
    .description(
      'Registers a server and keeps it alive with heartbeats until INT or TERM, then takes it out.\n' +
        'A Motan provider is given as its URL, any other server as the name of its service.',
    )
    .argument('<what>', 'service name, or motan2://host:port/interface?group=rs.a&…', checked(checkWhat))
    .option('--address <host>', 'where the server is reached (default: the address of the agent)')
    .option('--port <port>', 'its port, 1 to 65535 (not for a URL, which has its own)')
    .option('--id <id>', 'unique on the agent (default: name, address and port)')
    .option('--weight <n>', '1 to 65535')
    .option('--tag <tag...>', 'further tags')
    .option('--ttl <time>', 'without heartbeat for so long it is critical', checked(parseDuration), '15s')
    .option('--drain <time>', 'time between saying that it leaves and leaving', checked(parseDuration), '0s')
    .option(
      '--consul <url>',
      `the local Consul agent (default: ${CONSUL_ADDRESS})`,
      checked(checkRegistryUrl),
    )
    .option('--token-file <file>', 'file whose first line is the token of Consul')
    .addHelpText('after', '\nExample: upsync register rs --address 10.0.0.1 --port 6379 --weight 20')
    .action((what: string, flags: RegisterFlags) =>
      what.includes('://') ? provider(what, flags, context) : service(what, flags, context),
    );
}

function checkWhat(text: string): void {
  if (text.includes('://')) registrationBody(parseMotanUrl(text));
}

async function provider(text: string, flags: RegisterFlags, context: CliContext): Promise<void> {
  const url = parseMotanUrl(text);
  const providers = createMotanProviders({
    http: openSources(flags).http(),
    isOpen: true,
    logger: createLogger({ component: 'register', write: context.stderr }),
  });
  try {
    const ended = stayAlive(context.signal);
    await Promise.race([providers.register(url), ended]);
    if (!context.signal.aborted) context.stdout(`${providers.status()[0]!.id} is registered\n`);
    await ended;
  } finally {
    await providers.close();
  }
}

async function service(name: string, flags: RegisterFlags, context: CliContext): Promise<void> {
  const port = Number(flags.port);
  const weight = flags.weight === undefined ? 1 : Number(flags.weight);
  if (!(Number.isInteger(port) && port >= 1 && port <= 65_535))
    throw new UpsyncError('USAGE', 'the server needs a --port of 1 to 65535');
  if (!(Number.isInteger(weight) && weight >= 1 && weight <= 65_535))
    throw new UpsyncError('USAGE', '--weight is 1 to 65535');
  const registrar = new Registrar({
    name,
    port,
    weight,
    ttlMs: parseDuration(flags.ttl),
    drainMs: parseDuration(flags.drain),
    logger: createLogger({ component: 'register', write: context.stderr }),
    ...(flags.consul !== undefined && { agent: flags.consul }),
    ...(flags.tokenFile !== undefined && { tokenFile: flags.tokenFile }),
    ...(flags.address !== undefined && { address: flags.address }),
    ...(flags.id !== undefined && { id: flags.id }),
    ...(flags.tag !== undefined && { tags: flags.tag }),
  });
  try {
    await registrar.register();
    context.stdout(`${registrar.id} is registered\n`);
    await stayAlive(context.signal);
  } finally {
    await registrar.close();
  }
}
