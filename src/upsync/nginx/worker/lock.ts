import { dict } from './dictionary.ts';

const KEY = 'lock';
/** A holder that died is waited for this long. Seconds. */
const EXPIRES = 10;
const RETRY = 0.005;

/** Waits until no other request changes lists; false when that took longer than `seconds`. */
export function lock(seconds: number): boolean {
  let waited = 0;
  while (true) {
    const [taken] = dict.safe_add(KEY, 1, EXPIRES);
    if (taken) return true;
    if (waited >= seconds) return false;
    ngx.sleep(RETRY);
    waited += RETRY;
  }
}

export function unlock(): void {
  dict.delete(KEY);
}
