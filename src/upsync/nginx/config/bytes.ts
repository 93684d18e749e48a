/**
 * Configuration files are handled as text with one character per byte (latin1), so that whatever encoding the user has
 * comes out unchanged and offsets are byte offsets. These two cross over to and from ordinary (UTF-8) text.
 */
export function toText(bytes: string): string {
  return /^[\x00-\x7f]*$/.test(bytes) ? bytes : Buffer.from(bytes, 'latin1').toString('utf8');
}

/** The bytes (one per character) of ordinary text, ready to stand in a configuration. */
export function toBytes(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}
