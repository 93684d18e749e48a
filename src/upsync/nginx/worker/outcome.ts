/** What the boot file says of outcomes: `veiled` when a request's status need not be its server's. */
export const outcomes = { veiled: false };

/** False when the request's server surely answered: a failure shows as a status of 500 and more, unless it may be veiled. */
export function mayHaveFailed(): boolean {
  return outcomes.veiled || ngx.status >= 500;
}

/** `endedWithoutHeader` without the cost of a variable where the answer is plain. */
export function hasFailed(address: string): boolean {
  return mayHaveFailed() && endedWithoutHeader(address);
}

/**
 * True when nginx itself gave up the request at hand at the server of that address: connection, read or header failed
 * and nothing came. That, and not the answer's status, is what nginx counts against a server in the end; a failure that
 * led to another server is reported to the balancer right away. A client that leaves is nobody's failure.
 */
function endedWithoutHeader(address: string): boolean {
  const status = ngx.var.upstream_status;
  if (status === undefined || status === '200') return false;
  if (status === '502' || status === '504') return ngx.var.upstream_header_time === '-';
  const [several] = string.find(status, '[,:]');
  if (several === undefined) return false;
  const statuses = entries(status);
  const addresses = entries(ngx.var.upstream_addr ?? '');
  const times = entries(ngx.var.upstream_header_time ?? '');
  // A redirected request may have gone on to other upstreams: the last entry with this address is the one that counts.
  for (let i = statuses.length - 1; i >= 0; i--) {
    if (addresses[i] !== address) continue;
    return (statuses[i] === '502' || statuses[i] === '504') && times[i] === '-';
  }
  return false;
}

/** nginx writes `a, b` for servers tried one after the other and `a : b` after an internal redirect. */
function entries(list: string): string[] {
  const found: string[] = [];
  const [even] = string.gsub(list, ' : ', ', ');
  for (const [entry] of string.gmatch(`${even}, `, '(.-), ')) found.push(entry!);
  return found;
}
