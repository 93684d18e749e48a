/** Host and port as nginx's balancer wants them: an IPv6 host in brackets, `unix:/path` with port 0. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/**
 * Takes an address apart by the grammar of src/upstream/address.ts, host names excepted: nginx cannot resolve one while
 * it balances, so the engine sends addresses only. Gives undefined for anything else.
 */
export function parseEndpoint(text: string): Endpoint | undefined {
  if (string.sub(text, 1, 5) === 'unix:') {
    const [path] = string.match(text, '^unix:(/[%w._/@+-]+)$');
    return path !== undefined && path.length <= 107 ? { host: text, port: 0 } : undefined;
  }
  let [host, digits] = string.match(text, '^(%d+%.%d+%.%d+%.%d+):(%d+)$');
  if (host !== undefined) {
    if (!isDottedQuad(host)) return undefined;
  } else {
    [host, digits] = string.match(text, '^(%b[]):(%d+)$');
    if (host === undefined || !isIpv6(string.sub(host, 2, -2))) return undefined;
  }
  if (digits === undefined || digits.length > 10) return undefined;
  const port = tonumber(digits)!;
  return port >= 1 && port <= 65535 ? { host, port } : undefined;
}

function isDottedQuad(text: string): boolean {
  const [a, b, c, d] = string.match(text, '^(%d+)%.(%d+)%.(%d+)%.(%d+)$');
  return isOctet(a) && isOctet(b) && isOctet(c) && isOctet(d);
}

function isOctet(digits: string | undefined): boolean {
  return digits !== undefined && digits.length <= 10 && tonumber(digits)! <= 255;
}

/** RFC 4291: eight groups, one run of them shortened to `::`, the last two perhaps as IPv4; no zone. */
function isIpv6(text: string): boolean {
  const [cut] = string.find(text, '::', 1, true);
  if (cut === undefined) return groups(text, true) === 8;
  const [again] = string.find(text, '::', cut + 1, true);
  if (again !== undefined) return false;
  const left = groups(string.sub(text, 1, cut - 1), false);
  const right = groups(string.sub(text, cut + 2), true);
  return left >= 0 && right >= 0 && left + right <= 7;
}

/** How many groups `text` has, -1 when it is no sequence of groups. */
function groups(text: string, mayEndInIpv4: boolean): number {
  if (text === '') return 0;
  let count = 0;
  let from = 1;
  while (true) {
    const [colon] = string.find(text, ':', from, true);
    const group = string.sub(text, from, colon === undefined ? -1 : colon - 1);
    const [hex] = string.match(group, '^%x%x?%x?%x?$');
    if (hex !== undefined) count += 1;
    else if (colon === undefined && mayEndInIpv4 && isStrictQuad(group)) count += 2;
    else return -1;
    if (colon === undefined) return count;
    from = colon + 1;
  }
}

/** Inside an IPv6 address no octet has leading zeros. */
function isStrictQuad(text: string): boolean {
  const [quad] = string.match(text, '^%d+%.%d+%.%d+%.%d+$');
  const [leading] = string.find(`.${text}`, '%.0%d');
  return quad !== undefined && leading === undefined && isDottedQuad(text);
}
