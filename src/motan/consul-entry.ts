import { isIP } from 'node:net';
import { type Fields, isFields } from '../discovery/reply-json.ts';
import { formatAddress, isHostName } from '../upstream/address.ts';
import { readTagAttributes } from '../upstream/attributes-tags.ts';
import { errorText, type RejectedEntry, type Result } from '../upstream/errors.ts';
import { SERVER_DEFAULTS } from '../upstream/server.ts';
import type { Health, Provider } from './provider.ts';
import { readProviderUrl } from './service.ts';
import type { MotanUrl } from './url.ts';

const MAX_WEIGHT = 65_535;
/** Consul's weight of an entry that sets none. */
const UNSET = 1;
/** Motan's. */
const MOTAN_WEIGHT = 10;

/**
 * Reads one entry of Consul's `/v1/health/service/…`. The weight is the `weight=` tag, else that of a Motan provider's metadata,
 * else Consul's own for the entry's state.
 * A server that is tagged `down`, or in maintenance (its own or its node's), was withdrawn; one tagged `drain` weighs 0.
 * @param isMotan the entry belongs to a Motan group: its `URL_` tag, if any, says where the server is.
 */
export function readHealthEntry(item: unknown, isMotan: boolean): Result<Provider, RejectedEntry> {
  const service = isFields(item) && isFields(item['Service']) ? item['Service'] : undefined;
  if (service === undefined) return refused('entry', 'BAD_ENTRY', 'it is no entry of the health endpoint');
  const node: Fields = isFields((item as Fields)['Node']) ? ((item as Fields)['Node'] as Fields) : {};
  const id = `${textOf(node['Node'])}/${textOf(service['ID'])}`;
  const where = id.replace(/[^\x20-\x7e]/g, '?').slice(0, 200);
  const tags = Array.isArray(service['Tags']) ? service['Tags'].filter((tag) => typeof tag === 'string') : [];
  const port = typeof service['Port'] === 'number' ? Math.trunc(service['Port']) : 0;
  const entry = { address: textOf(service['Address']) || textOf(node['Address']), port };
  let motan: MotanUrl | undefined;
  if (isMotan) {
    try {
      motan = readProviderUrl({
        id: textOf(service['ID']),
        name: textOf(service['Service']),
        tags,
        ...entry,
      });
    } catch (error) {
      return refused(where, 'BAD_MOTAN_URL', errorText(error));
    }
  }
  const host = motan?.host ?? entry.address;
  const usedPort = motan?.port ?? port;
  if ((isIP(host) === 0 && !isHostName(host)) || host.includes('%') || usedPort < 1 || usedPort > 65_535)
    return refused(where, 'NO_ADDRESS', 'it has no address or no port from 1 to 65535');
  const checked = worstState((item as Fields)['Checks']);
  const weight = consulWeight(service['Weights'], checked);
  const { attributes } = readTagAttributes(tags, where, {
    ...SERVER_DEFAULTS,
    weight: motan === undefined ? weight : motanWeight(motan, weight),
  });
  const provider: Provider = {
    id,
    address: formatAddress(host, usedPort),
    host,
    port: usedPort,
    weight: attributes.drain ? 0 : attributes.weight,
    health: checked,
    ...(attributes.down || isInMaintenance((item as Fields)['Checks']) ? { withdrawn: true } : {}),
    ...(motan === undefined ? {} : { motan }),
  };
  return { ok: true, value: Object.freeze(provider) };
}

/** The worst of an entry's checks; none at all is passing, an unknown state critical. */
function worstState(checks: unknown): Health {
  let worst: Health = 'passing';
  for (const check of Array.isArray(checks) ? (checks as unknown[]) : []) {
    const status = isFields(check) ? check['Status'] : undefined;
    if (status === 'passing') continue;
    if (status !== 'warning') return 'critical';
    worst = 'warning';
  }
  return worst;
}

function isInMaintenance(checks: unknown): boolean {
  return (Array.isArray(checks) ? (checks as unknown[]) : []).some(
    (check) => isFields(check) && /^_(node|service)_maintenance/.test(textOf(check['CheckID'])),
  );
}

function consulWeight(weights: unknown, health: Health): number {
  const own = isFields(weights) ? weights[health === 'warning' ? 'Warning' : 'Passing'] : undefined;
  return typeof own === 'number' && own >= 0 ? Math.min(Math.trunc(own), MAX_WEIGHT) : UNSET;
}

/**
 * The weight a Motan client gives a provider: `META_WEIGHT` of its URL, 1 to 500, else 10. Motan sets no weight in Consul; one that
 * somebody else set there counts. Source: Motan `AbstractWeightedLoadBalance` (the static part; what a provider tells while it
 * runs is asked by Motan's own protocol).
 */
function motanWeight({ parameters }: MotanUrl, inConsul: number): number {
  const text = parameters.get('META_WEIGHT');
  if (text !== undefined && /^[+-]?\d{1,10}$/.test(text)) return Math.min(500, Math.max(1, Number(text)));
  return inConsul === UNSET ? MOTAN_WEIGHT : inConsul;
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function refused(where: string, code: string, reason: string): Result<Provider, RejectedEntry> {
  return { ok: false, error: { where, code, reason: `${reason}; it is left out` } };
}
