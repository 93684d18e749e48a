import { UpsyncError } from '../upstream/errors.ts';

/** The three parts of a Motan-style name, taken apart. */
export interface ResourceName {
  /** One or more labels: `rs`, `cache.timeline`. */
  readonly resource: string;
  /** One label: `a`, `b`, `cloud`. */
  readonly idc: string;
  /** 1..65535. */
  readonly port: number;
  /** The whole name in its one canonical spelling: `rs.a.6379`. */
  readonly text: string;
}

/** Stands for the local IDC in a name: `rs.{idc}.6379`. */
export const IDC_PLACEHOLDER = '{idc}';

const LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
const MAX_NAME = 253;

/**
 * Takes `resource.idc.port` apart, from the right, in lower case; `rs.{idc}.6379` gets `localIdc`.
 *
 * The port is 1 to 65535 in decimal without leading zeros, the IDC one DNS label (letters, digits and inner hyphens, at
 * most 63), the resource one or more such labels; the whole is at most 253 characters, as in DNS. One trailing dot (the
 * root, as resolvers write it) is accepted and dropped.
 * @throws {UpsyncError} BAD_NAME naming the part that is wrong.
 */
export function parseName(text: string, localIdc?: string): ResourceName {
  if (typeof text !== 'string') throw badName(text, 'it is not text');
  if (text.length > MAX_NAME + IDC_PLACEHOLDER.length + 1)
    throw badName(text, `the name is longer than ${MAX_NAME} characters`);
  const labels = (text.endsWith('.') ? text.slice(0, -1) : text).toLowerCase().split('.');
  if (labels.length < 3) throw badName(text, 'expected three parts or more, resource.idc.port');
  const portText = labels.pop()!;
  const idcText = labels.pop()!;
  if (!/^[1-9]\d{0,4}$/.test(portText) || Number(portText) > 65535)
    throw badName(text, 'the port (the last part) must be 1 to 65535 without leading zeros');
  if (idcText === IDC_PLACEHOLDER && localIdc === undefined)
    throw badName(text, 'the local IDC is not known, so {idc} cannot be filled in');
  const idc = idcText === IDC_PLACEHOLDER ? localIdc!.toLowerCase() : idcText;
  if (!LABEL.test(idc)) throw badName(text, `the IDC (the part before the port) ${LABEL_RULE}`);
  const wrong = labels.find((label) => !LABEL.test(label));
  if (wrong !== undefined) throw badName(text, `the resource part ${shown(wrong)} ${LABEL_RULE}`);
  return formatted(text, labels.join('.'), idc, Number(portText));
}

/**
 * Puts a name together; `parseName` of the result gives the same parts.
 * @throws {UpsyncError} BAD_NAME when a part breaks the grammar.
 */
export function formatName(resource: string, idc: string, port: number): string {
  return parseName(`${resource}.${idc}.${port}`).text;
}

/** True for one label that can be an IDC: 1 to 63 lower-case letters, digits and inner hyphens. */
export function isIdcLabel(text: string): boolean {
  return LABEL.test(text);
}

/**
 * The local IDC: the configured one, else the environment's `UPSYNC_IDC`, else Consul's own datacenter.
 * @throws {UpsyncError} BAD_NAME when the value found is not one DNS label.
 */
export function chooseLocalIdc(
  configured: string | undefined,
  environment: Readonly<Record<string, string | undefined>> = process.env,
  consulDatacenter?: string,
): string | undefined {
  const found = configured ?? (environment['UPSYNC_IDC'] || undefined) ?? consulDatacenter;
  const idc = found?.toLowerCase();
  if (idc !== undefined && !LABEL.test(idc)) throw badName(found, `the local IDC ${LABEL_RULE}`);
  return idc;
}

const LABEL_RULE = 'must be 1 to 63 letters, digits or inner hyphens';

function formatted(given: string, resource: string, idc: string, port: number): ResourceName {
  const text = `${resource}.${idc}.${port}`;
  if (text.length > MAX_NAME) throw badName(given, `the name is longer than ${MAX_NAME} characters`);
  return Object.freeze({ resource, idc, port, text });
}

function shown(value: unknown): string {
  return JSON.stringify(String(value).slice(0, 80));
}

function badName(text: unknown, why: string): UpsyncError {
  return new UpsyncError('BAD_NAME', `${shown(text)} is not a resource.idc.port name: ${why}`);
}
