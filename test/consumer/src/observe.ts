import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { FailureMessage, ListMessage } from 'upsync';

/** Counts what happens inside; returns a function that stops and tells. */
export function observe(): () => { lists: number; failures: readonly string[] } {
  let lists = 0;
  const failures: string[] = [];
  const onList = (message: unknown): void => {
    const { snapshot, previous } = message as ListMessage;
    if (snapshot.servers.length !== previous?.servers.length) lists += 1;
  };
  const onFailure = (message: unknown): void => {
    failures.push((message as FailureMessage).error.code);
  };
  subscribe('upsync:sync:list', onList);
  subscribe('upsync:sync:failure', onFailure);
  return () => {
    unsubscribe('upsync:sync:list', onList);
    unsubscribe('upsync:sync:failure', onFailure);
    return { lists, failures };
  };
}
