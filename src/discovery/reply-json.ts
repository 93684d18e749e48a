import type { RejectedEntry } from '../upstream/errors.ts';
import { parseJsonPrefix } from '../upstream/json-prefix.ts';
import type { RegistryReply } from './http.ts';
import { SourceError } from './source-error.ts';

/** A JSON object of a registry, nothing of which is known yet. */
export type Fields = Readonly<Record<string, unknown>>;

/** True for a JSON object, not for an array or null. */
export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * The JSON value a reply begins with.
 * @throws {SourceError} SOURCE_BAD_REPLY when it is empty, cut off or no JSON at all.
 */
export function parseReply(reply: RegistryReply): unknown {
  try {
    return parseJsonPrefix(reply.text);
  } catch (error) {
    const what = reply.text.trim() === '' ? 'an empty reply' : 'something that is not whole JSON';
    throw badReply(reply, what, error);
  }
}

/**
 * The array a reply holds; `null` counts as an empty one.
 * @throws {SourceError} SOURCE_BAD_REPLY when it holds something else.
 */
export function parseReplyArray(reply: RegistryReply): readonly unknown[] {
  const value = parseReply(reply);
  if (value === null) return [];
  if (!Array.isArray(value)) throw badReply(reply, 'no JSON array');
  return value as unknown[];
}

/** The error for a reply that is not what was asked for. */
export function badReply(reply: RegistryReply, what: string, cause?: unknown): SourceError {
  return new SourceError('SOURCE_BAD_REPLY', `${reply.url} sent ${what}; the list before stays in use`, {
    cause,
  });
}

/** The report for items of an array that are no entries at all; empty when there are none. */
export function strayItems(count: number, reply: RegistryReply): readonly RejectedEntry[] {
  if (count === 0) return [];
  return [
    {
      where: reply.url,
      code: 'BAD_ENTRY',
      reason: `${count} items of the reply are no entries of this kind`,
    },
  ];
}
