import { isIP } from 'node:net';

/**
 * True when a request's `Host` cannot be the work of DNS rebinding: an IP address, `localhost`, or the name the admin API
 * was told to listen on. Any other name may be an attacker's page whose name now leads here.
 */
export function isTrustedHost(header: string | undefined, listenHost: string): boolean {
  if (header === undefined) return false;
  const match = /^(\[[0-9a-fA-F:.]+\]|[^:[\]]+)(:\d{1,5})?$/.exec(header);
  if (!match) return false;
  const host = match[1]!.toLowerCase().replace(/^\[|\]$/g, '');
  return (
    isIP(host) !== 0 ||
    host === 'localhost' ||
    host.endsWith('.localhost') ||
    host === listenHost.toLowerCase()
  );
}
