import { UpsyncError } from '../upstream/errors.ts';

const LONE_SURROGATE = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

/**
 * Encodes text exactly as Java's `URLEncoder` with UTF-8: letters, digits and `*-_.` stay, a space becomes `+`, everything
 * else `%XX` (so `~!'()` are escaped, unlike `encodeURIComponent`), half a surrogate pair becomes an escaped `?`.
 */
export function encodeForm(text: string): string {
  return encodeURIComponent(text.replace(LONE_SURROGATE, '?'))
    .replace(/[~!'()]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll('%20', '+');
}

/**
 * Decodes what `encodeForm` or Java's `URLEncoder` wrote; bytes that are not UTF-8 become U+FFFD, as in Java.
 * @throws {UpsyncError} BAD_FORM_ENCODING for a `%` without two hexadecimal digits.
 */
export function decodeForm(text: string): string {
  if (!/[%+]/.test(text)) return text;
  if (/%(?![0-9a-fA-F]{2})/.test(text))
    throw new UpsyncError('BAD_FORM_ENCODING', 'a % is not followed by two hexadecimal digits');
  return text
    .replaceAll('+', ' ')
    .replace(/(?:%[0-9a-fA-F]{2})+/g, (escapes) =>
      Buffer.from(escapes.replaceAll('%', ''), 'hex').toString('utf8'),
    );
}
