import { channel } from 'node:diagnostics_channel';

/** Published for every attempt: `{upstream, server, attempt}`. Costs nothing while nobody listens. */
export const pickChannel = channel('upsync:dispatcher:pick');
/** Published for every attempt that counts against a server: `{upstream, server, reason}`. */
export const failureChannel = channel('upsync:dispatcher:failure');
/** Published for every new list: `{snapshot, added, removed, changed}`. */
export const listChannel = channel('upsync:dispatcher:list');
