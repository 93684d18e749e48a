/** Name of the shared dictionary; snippets.ts declares it under the same one. */
export const DICTIONARY = 'upsync';
/** Marks the texts of wire.ts. */
export const LISTS_HEADER = 'upsync-lists 1';
export const BOOT_HEADER = 'upsync-boot 1';
