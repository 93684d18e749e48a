import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { FailureMessage, ListMessage, PickMessage } from 'upsync';

/** Counts what happens inside; returns a function that stops and tells. */
export function observe(): () => { lists: number; asked: ReadonlySet<string>; failures: readonly string[] } {
  let lists = 0;
  const asked = new Set<string>();
  const failures: string[] = [];
  const onList = (message: unknown): void => {
    const { snapshot, previous } = message as ListMessage;
    if (snapshot.servers.length !== previous?.servers.length) lists += 1;
  };
  const onFailure = (message: unknown): void => {
    failures.push((message as FailureMessage).error.code);
  };
  const onPick = (message: unknown): void => {
    asked.add((message as PickMessage).server.address);
  };
  subscribe('upsync:dispatcher:pick', onPick);
  subscribe('upsync:sync:list', onList);
  subscribe('upsync:sync:failure', onFailure);
  return () => {
    unsubscribe('upsync:dispatcher:pick', onPick);
    unsubscribe('upsync:sync:list', onList);
    unsubscribe('upsync:sync:failure', onFailure);
    return { lists, asked, failures };
  };
}
