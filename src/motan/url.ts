import { UpsyncError } from '../upstream/errors.ts';
import { decodeForm, encodeForm } from './form-encoding.ts';

/** A Motan URL: `motan2://10.1.2.3:8002/com.weibo.UserService?group=rs.a&…`. Immutable. */
export interface MotanUrl {
  readonly protocol: string;
  /** Empty for a consumer that stands nowhere in particular. */
  readonly host: string;
  /** 0..65535; 0 for a consumer. */
  readonly port: number;
  /** The interface, `com.weibo.UserService`. */
  readonly path: string;
  readonly parameters: ReadonlyMap<string, string>;
}

/** Values that hold when a URL does not name the parameter. Source: Motan `URLParamType`. */
export const MOTAN_DEFAULTS = Object.freeze({
  group: 'default_rpc',
  version: '1.0',
  serialization: 'hessian2',
});

const URL_TAG = 'URL_';
const MAX_URL = 65_536;
// `codec` is dropped by Motan before it registers, `refreshTimestamp` whenever it writes a URL.
const NOT_WRITTEN = new Set(['codec', 'refreshTimestamp']);

/** Parameters that are shared by everybody who was told of a provider: to change them is an error, also without a type checker. */
class FixedParameters extends Map<string, string> {
  constructor(entries: Iterable<readonly [string, string]>) {
    super();
    for (const [name, value] of entries) super.set(name, value);
  }

  override set(): never {
    throw new TypeError('a Motan URL never changes; withParameters gives another one');
  }

  override delete(): never {
    return this.set();
  }

  override clear(): never {
    return this.set();
  }
}

/** A Motan URL from its parts. */
export function createMotanUrl(
  protocol: string,
  host: string,
  port: number,
  path: string,
  parameters: Readonly<Record<string, string>> | Iterable<readonly [string, string]> = {},
): MotanUrl {
  const entries = Symbol.iterator in parameters ? parameters : Object.entries(parameters);
  return Object.freeze({ protocol, host, port, path, parameters: new FixedParameters(entries) });
}

/**
 * Reads a Motan URL as Motan does: parameters are split at `&` and their first `=`, then decoded; one without `=` has its
 * name as its value; the last of several wins; the path is taken as it stands.
 * @throws {UpsyncError} BAD_MOTAN_URL for no protocol, a host that is neither a name nor an IPv4 address, or a bad port.
 */
export function parseMotanUrl(text: string): MotanUrl {
  if (text.length > MAX_URL) throw badUrl(text, `it is longer than ${MAX_URL} characters`);
  const question = text.indexOf('?');
  const parameters = question < 0 ? new Map<string, string>() : readQuery(text, text.slice(question + 1));
  const body = question < 0 ? text : text.slice(0, question);
  const split = /^([A-Za-z0-9_+.-]+):(?:\/\/([^/]*))?(?:\/(.*))?$/s.exec(body);
  if (split === null) throw badUrl(text, 'expected protocol://host:port/path');
  const [, protocol, authority = '', path = ''] = split;
  const place = /^([A-Za-z0-9._-]*)(?::(\d{1,5}))?$/.exec(authority);
  if (place === null) throw badUrl(text, 'the host or the port is not usable (IPv6 is unknown to Motan)');
  const port = Number(place[2] ?? 0);
  if (port > 65535) throw badUrl(text, 'the port is above 65535');
  return createMotanUrl(protocol!, place[1]!, port, path, parameters);
}

/**
 * The full string as Motan writes it into registries: every parameter encoded, with an `&` after each, the last included.
 * The parameters keep their order (Motan's own order is arbitrary).
 */
export function formatMotanUrl(url: MotanUrl): string {
  let text = `${url.protocol}://${url.host}:${url.port}/${url.path}?`;
  for (const [name, value] of url.parameters)
    if (!NOT_WRITTEN.has(name)) text += `${encodeForm(name)}=${encodeForm(value)}&`;
  return text;
}

/** The tag that carries the whole URL; parameter values are encoded twice in it. */
export function formatUrlTag(url: MotanUrl): string {
  return URL_TAG + encodeForm(formatMotanUrl(url));
}

/**
 * The URL that a service's tags carry: the last tag whose text before the first `_` is `URL`. Undefined when there is none.
 * @throws {UpsyncError} BAD_MOTAN_URL, BAD_FORM_ENCODING when that tag cannot be read.
 */
export function readUrlTag(tags: readonly string[]): MotanUrl | undefined {
  const tag = tags.findLast((one) => one.startsWith(URL_TAG));
  if (tag === undefined) return undefined;
  if (tag.length > MAX_URL) throw badUrl(tag, `it is longer than ${MAX_URL} characters`);
  return parseMotanUrl(decodeForm(tag.slice(URL_TAG.length)));
}

/** A parameter, or Motan's default, or ''. */
export function motanParameter(url: MotanUrl, name: string): string {
  const defaults: Readonly<Record<string, string>> = MOTAN_DEFAULTS;
  return url.parameters.get(name) ?? (Object.hasOwn(defaults, name) ? defaults[name]! : '');
}

/** The same URL with parameters set (or, by undefined, removed). */
export function withParameters(
  url: MotanUrl,
  changes: Readonly<Record<string, string | undefined>>,
): MotanUrl {
  const parameters = new Map(url.parameters);
  for (const [name, value] of Object.entries(changes)) {
    if (value === undefined) parameters.delete(name);
    else parameters.set(name, value);
  }
  return createMotanUrl(url.protocol, url.host, url.port, url.path, parameters);
}

/**
 * True when a consumer may use a provider: same path, protocol (or a motan2 provider for a motan consumer), version, and,
 * unless the provider speaks motan2, serialization; and the provider is one. The group does not count, so that groups can be
 * merged. Source: Motan `URL.canServe`.
 */
export function canServe(provider: MotanUrl, consumer: MotanUrl): boolean {
  const same = (name: string): boolean => motanParameter(provider, name) === motanParameter(consumer, name);
  const isMotan2 = provider.protocol === 'motan2';
  return (
    provider.path === consumer.path &&
    (provider.protocol === consumer.protocol || (isMotan2 && consumer.protocol === 'motan')) &&
    provider.parameters.get('nodeType') === 'service' &&
    same('version') &&
    (isMotan2 || same('serialization'))
  );
}

function readQuery(text: string, query: string): Map<string, string> {
  const parameters = new Map<string, string>();
  for (const item of query.split('&')) {
    const part = item.trim();
    if (part === '') continue;
    const equals = part.indexOf('=');
    try {
      const name = decodeForm(equals < 0 ? part : part.slice(0, equals));
      parameters.set(name, equals < 0 ? name : decodeForm(part.slice(equals + 1)));
    } catch (cause) {
      throw badUrl(text, 'a parameter is not form-encoded', cause);
    }
  }
  return parameters;
}

function badUrl(text: string, why: string, cause?: unknown): UpsyncError {
  // Parameters may carry credentials; only what stands before them is shown.
  const shown = JSON.stringify(text.split('?')[0]!.slice(0, 80));
  return new UpsyncError('BAD_MOTAN_URL', `${shown} is not a Motan URL: ${why}`, { cause });
}
