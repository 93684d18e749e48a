import { type ConfigService, createConfigService } from '../../motan/config-service/server.ts';
import { createDnsServer, DNS_DEFAULTS, type DnsServer } from '../../motan/dns/server.ts';
import { formatStatus, type Schedule, startSchedule } from '../../motan/schedule/schedule.ts';
import { formatAddress } from '../../upstream/address.ts';
import { errorText } from '../../upstream/errors.ts';
import type { Logger } from '../../upstream/logger.ts';
import { type OpenedNames, openNames } from '../open-names.ts';
import { speaksOfNames, type YamlFile } from '../upsync-yaml.ts';
import { MOST_NAMES, type NamesStatus, nameStatus } from './names-status.ts';
import { Slot, type Wanted } from './slot.ts';
import { SwitchResolver } from './switch-resolver.ts';
import { plansOf, type ServeFlags, wantedNames, type WantedNames } from './wanted-names.ts';

export interface ServedNamesOptions {
  readonly env: NodeJS.ProcessEnv;
  readonly signal: AbortSignal;
  readonly logger: Logger;
  /** Come before the configuration. @default none */
  readonly flags?: ServeFlags;
  /** Names are served over DNS even when the configuration does not ask for it. @default false */
  readonly dnsAlways?: boolean;
}

interface WantedServer {
  readonly listen: { readonly port: number };
  readonly nodesFile?: string;
  readonly groupsFile?: string;
}

/** A new resolver gets this long to learn the names in use before it takes over. Milliseconds. */
const WARM_MS = 2000;

/** Everything that is served from names: DNS, the config service, traffic plans. Follows its configuration while it runs. */
export class ServedNames {
  readonly #options: ServedNamesOptions;
  readonly #dns = new Slot<DnsServer>();
  readonly #configService = new Slot<ConfigService>();
  #resolver: SwitchResolver | undefined;
  /** What `#resolver` stands for now; its resolver is closed when another one takes over. */
  #opened: OpenedNames | undefined;
  #schedule: Schedule | undefined;
  #wanted: WantedNames | undefined;

  constructor(options: ServedNamesOptions) {
    this.#options = options;
  }

  /**
   * Serves what a configuration says from now on. What did not change is not touched: a new list of IDCs interrupts neither DNS nor
   * the config service, and of those only the one that changed starts anew.
   * @throws {UpsyncError} when it cannot be served; what was served before goes on.
   */
  async apply(yaml: YamlFile | undefined): Promise<void> {
    const { flags = {}, dnsAlways = false } = this.#options;
    if (!dnsAlways && (yaml === undefined || !speaksOfNames(yaml))) return this.#end();
    const wanted = wantedNames(yaml, flags, dnsAlways);
    const before = this.#wanted;
    const old = this.#opened;
    const opened = old !== undefined && before?.key === wanted.key ? old : await this.#open(yaml);
    try {
      plansOf(yaml, new Set(opened.topology.idcs.keys()));
      if (opened !== old) this.#use(opened);
      await this.#serve(wanted);
    } catch (error) {
      if (old !== undefined) this.#use(old);
      await this.#restore(before);
      if (opened !== old) await opened.resolver.close();
      throw error;
    }
    this.#wanted = wanted;
    if (opened !== old) await old?.resolver.close();
    if (JSON.stringify(before) !== JSON.stringify(wanted)) this.#tell();
  }

  /** What is served, for people, one line each. */
  lines(): readonly string[] {
    const idc = this.#resolver?.local;
    const dns = this.#dns.server;
    const service = this.#configService.server;
    const plans = this.#schedule?.status() ?? [];
    return [
      ...(dns ? [`dns listens on ${formatAddress(dns.address, dns.port)} (UDP and TCP), IDC ${idc}`] : []),
      ...(service ? [`config service listens on ${service.url}`] : []),
      ...(plans.length > 0 ? [`traffic plans: ${formatStatus(plans)}`] : []),
    ];
  }

  /** Undefined while nothing is served from names. */
  status(): NamesStatus | undefined {
    const resolver = this.#resolver;
    if (resolver === undefined) return undefined;
    const dns = this.#dns.server;
    const service = this.#configService.server;
    const names = resolver.names();
    return {
      idc: resolver.local,
      ...(dns && {
        dns: {
          address: formatAddress(dns.address, dns.port),
          suffix: this.#wanted?.dns?.suffix ?? DNS_DEFAULTS.suffix,
          ...dns.stats(),
        },
      }),
      ...(service && { configService: { url: service.url } }),
      plans: this.#schedule?.status() ?? [],
      names: names.slice(0, MOST_NAMES).flatMap((name) => {
        const known = resolver.peek(name);
        return known === undefined ? [] : [nameStatus(known)];
      }),
      watched: names.length,
    };
  }

  async close(): Promise<void> {
    await this.#end();
  }

  async #open(yaml: YamlFile | undefined): Promise<OpenedNames> {
    const opened = await openNames(this.#options.flags ?? {}, yaml, this.#options);
    const inUse = (this.#resolver?.names() ?? []).slice(0, MOST_NAMES);
    await Promise.allSettled(inUse.map((name) => opened.resolver.ready(name, { timeoutMs: WARM_MS })));
    return opened;
  }

  #use(opened: OpenedNames): void {
    if (this.#resolver === undefined) this.#resolver = new SwitchResolver(opened.resolver);
    else this.#resolver.use(opened.resolver);
    this.#opened = opened;
  }

  #tell(): void {
    const { idc, dns, configService, plans } = this.status()!;
    const { logger } = this.#options;
    const served = {
      ...(dns && { dns: dns.address, suffix: dns.suffix }),
      ...(configService && { configService: configService.url }),
    };
    if (dns || configService) logger.info({ idc, ...served, plans: plans.length }, 'names_served');
    else logger.warn({ idc, next: 'add a section dns or config_service' }, 'names_not_served');
  }

  async #serve({ dns, configService, plans }: WantedNames): Promise<void> {
    const resolver = this.#resolver!;
    const { logger } = this.#options;
    await this.#dns.become(wantedServer(dns, (options) => createDnsServer({ ...options, resolver, logger })));
    await this.#configService.become(
      wantedServer(configService, (options) => createConfigService({ ...options, resolver, logger })),
    );
    if (this.#schedule !== undefined) this.#schedule.update(plans);
    else if (plans.length > 0) this.#schedule = startSchedule({ resolver, plans, logger });
  }

  async #restore(before: WantedNames | undefined): Promise<void> {
    if (before === undefined) return this.#end();
    try {
      await this.#serve(before);
    } catch (error) {
      this.#options.logger.error(
        { error: errorText(error), next: 'a valid configuration starts it again' },
        'names_not_restored',
      );
    }
  }

  async #end(): Promise<void> {
    await this.#dns.become(undefined);
    await this.#configService.become(undefined);
    await this.#schedule?.close();
    await this.#opened?.resolver.close();
    this.#schedule = this.#opened = this.#resolver = this.#wanted = undefined;
  }
}

function wantedServer<O extends WantedServer, S>(
  options: O | undefined,
  open: (options: O) => Promise<S>,
): Wanted<S> | undefined {
  if (options === undefined) return undefined;
  return {
    key: JSON.stringify(options),
    port: options.listen.port,
    isExclusive: options.nodesFile !== undefined || options.groupsFile !== undefined,
    open: () => open(options),
  };
}
