import { isHealthy, type Provider, type ProviderSource } from '../provider.ts';
import { readOnce } from '../read-once.ts';
import { serviceNameOf } from '../service.ts';
import type { RegistryQuery } from '../topology.ts';
import { parseCommands } from './command.ts';
import { planGroups } from './evaluate.ts';
import { type CommandPreview, previewCommand, type PreviewInput } from './preview.ts';

export interface LivePreviewInput extends Omit<PreviewInput<Provider>, 'serversOf'> {
  /** Opens the providers of a group's service; `consulSources` gives one. */
  readonly providers: (query: RegistryQuery) => ProviderSource;
  /** Only servers with this port, as for a `resource.idc.port` name. */
  readonly port?: number;
  /** Only providers of the interface `path`; false for resources, which have none. @default true */
  readonly byPath?: boolean;
  /** Bound for each group's answer. Milliseconds. @default 5000 */
  readonly timeoutMs?: number;
}

/**
 * Shows what a command would do to the servers that are registered and healthy now, before it is written.
 * @throws {UpsyncError} SOURCE_… or PENDING when a group cannot be looked up.
 */
export async function previewLiveCommand(input: LivePreviewInput): Promise<CommandPreview<Provider>> {
  const { group: own, port, byPath = true } = input;
  const plan = planGroups({ ...input, commands: parseCommands(input.command) });
  const names = new Set([own, ...plan.groups.map(({ group }) => group || own)]);
  const lists = await Promise.all(
    [...names].map(async (group): Promise<[string, readonly Provider[]]> => {
      const source = input.providers({ service: serviceNameOf(group), group, stale: false });
      const { providers } = await readOnce(source, input.timeoutMs);
      const usable = providers.filter(
        (provider) =>
          isHealthy(provider.health) &&
          provider.withdrawn !== true &&
          (port === undefined || provider.port === port) &&
          (!byPath || provider.motan?.path === input.path),
      );
      return [group, usable];
    }),
  );
  const servers = new Map(lists);
  return previewCommand<Provider>({ ...input, serversOf: (group) => servers.get(group) ?? [] });
}
