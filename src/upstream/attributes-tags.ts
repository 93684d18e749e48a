import type { ReadAttributes } from './attributes-json.ts';
import { parseDuration } from './duration.ts';
import type { RejectedEntry } from './errors.ts';
import { parseSeconds } from './seconds.ts';
import { MAX_COUNT, type ServerAttributes } from './server-line.ts';
import { MAX_WEIGHT } from './server-type.ts';
import { SERVER_DEFAULTS } from './server.ts';

/**
 * Reads attributes from the tags of a Consul service: `weight=5`, `max_fails=2`, `fail_timeout=30s`, `down`, `backup`, and
 * ours `max_conns=100`, `slow_start=30s`, `drain`. Names are exact and in lower case, the last valid tag of a name wins, an
 * invalid one is reported and leaves the value as it was; other tags are somebody else's and mean nothing here.
 * Source: nginx-upsync-module, `ngx_http_upsync_consul_services_parse_json`.
 * @param tags anything the registry sent in place of the tags; what is not an array of text has no tags.
 * @param defaults what holds when no tag says otherwise.
 */
export function readTagAttributes(
  tags: unknown,
  where: string,
  defaults: ServerAttributes = SERVER_DEFAULTS,
): ReadAttributes {
  const attributes: { -readonly [K in keyof ServerAttributes]: ServerAttributes[K] } = { ...defaults };
  const problems: RejectedEntry[] = [];
  for (const tag of Array.isArray(tags) ? (tags as unknown[]) : []) {
    if (typeof tag !== 'string' || tag.length > 256) continue;
    if (tag === 'down' || tag === 'backup' || tag === 'drain') {
      attributes[tag] = true;
      continue;
    }
    const equals = tag.indexOf('=');
    if (equals < 0) continue;
    const name = tag.slice(0, equals);
    const value = tag.slice(equals + 1);
    const refuse = (why: string): void => {
      problems.push({ where, code: 'BAD_ATTRIBUTE', reason: `the tag ${name}= ${why}; it is ignored` });
    };
    switch (name) {
      case 'weight': {
        const weight = count(value);
        if (weight === undefined || weight < 1) refuse('needs a whole number from 1');
        else attributes.weight = Math.min(weight, MAX_WEIGHT);
        if (weight !== undefined && weight > MAX_WEIGHT)
          problems.push({
            where,
            code: 'BAD_ATTRIBUTE',
            reason: `the tag weight= is above ${MAX_WEIGHT}, which is used instead`,
          });
        break;
      }
      case 'max_fails':
      case 'max_conns': {
        const number = count(value);
        if (number === undefined) refuse('needs a whole number from 0');
        else attributes[name === 'max_fails' ? 'maxFails' : 'maxConns'] = Math.min(number, MAX_COUNT);
        break;
      }
      case 'fail_timeout':
      case 'slow_start': {
        const ms = time(name === 'fail_timeout' ? parseSeconds : parseDuration, value);
        if (ms === undefined) refuse('needs a time such as 30s');
        else attributes[name === 'fail_timeout' ? 'failTimeoutMs' : 'slowStartMs'] = ms;
      }
    }
  }
  return { attributes: Object.freeze(attributes), problems };
}

function count(text: string): number | undefined {
  return /^\d{1,18}$/.test(text) ? Number(text) : undefined;
}

function time(parse: (text: string) => number, text: string): number | undefined {
  try {
    return parse(text);
  } catch {
    return undefined;
  }
}
