import type { BalancerOptions, Method } from '../../../balancer/balancer.ts';
import { parseKey } from './hash-key.ts';
import { type WorkerServer, decodeToken, parseServer } from './list.ts';
import { logPhase } from './log-phase.ts';
import { BOOT_HEADER } from './names.ts';
import { outcomes } from './outcome.ts';
import type { Upstream } from './upstream.ts';
import { addUpstream } from './upstreams.ts';

/** What `upstream_show` lists: upstreams of ours, and the lines of those that are none. In configuration order. */
export interface ShownUpstream {
  readonly name: string;
  readonly upstream: Upstream | undefined;
  readonly lines: string[];
}

export const shown: ShownUpstream[] = [];

/**
 * Reads the boot file (`encodeBoot` in wire.ts). Whatever is wrong with it is logged and left out: nginx has to start,
 * and each upstream for itself serves what can be read.
 */
export function loadBoot(file: string): void {
  const [source, reason] = io.open(file, 'rb');
  if (source === undefined) return complain(file, `cannot be opened: ${reason}`);
  const text = source.read('*a');
  source.close();
  if (text === undefined) return complain(file, 'cannot be read');
  const lines: string[] = [];
  for (const [line] of string.gmatch(text, '[^\n]+')) lines.push(line!);
  if (lines[0] !== BOOT_HEADER) return complain(file, 'is no boot file of this version');
  let index = 1;
  while (index < lines.length) {
    const line = lines[index]!;
    const kind = string.sub(line, 1, 2);
    if (kind === 'p ') index = plain(lines, index);
    else if (kind === 'u ') index = ours(file, lines, index);
    else {
      if (line === 'veiled') outcomes.veiled = true;
      else if (line === 'spares-log') logPhase.canBeLeftOut = true;
      else if (kind !== 'en') complain(file, `line ${index + 1} is unknown`);
      index += 1;
    }
  }
  const [complete] = string.find(lines[lines.length - 1]!, '^end %d+$');
  if (complete === undefined) complain(file, 'is cut off');
}

function plain(lines: string[], start: number): number {
  const [name] = string.match(lines[start]!, '^p (%S+)');
  const found: string[] = [];
  let index = start + 1;
  while (index < lines.length && string.sub(lines[index]!, 1, 2) === 'l ') {
    found.push(decodeToken(string.sub(lines[index]!, 3)));
    index += 1;
  }
  shown.push({ name: decodeToken(name ?? ''), upstream: undefined, lines: found });
  return index;
}

function ours(file: string, lines: string[], start: number): number {
  const [token, method, seed, loadFactor, key] = string.match(
    lines[start]!,
    '^u (%S+) %d+ ([%w_]+) (%S+) (%S+) =(%S*)$',
  );
  const servers: WorkerServer[] = [];
  let index = start + 1;
  while (index < lines.length && string.sub(lines[index]!, 1, 2) === 's ') {
    const server = parseServer(lines[index]!);
    if (typeof server === 'string') complain(file, `line ${index + 1} ${server}`);
    else servers.push(server);
    index += 1;
  }
  if (token === undefined) {
    complain(file, `line ${start + 1} is no upstream`);
    return index;
  }
  const name = decodeToken(token);
  const options: BalancerOptions = {
    method: method as Method,
    seed: tonumber(seed) ?? 0,
    loadFactor: tonumber(loadFactor) ?? 1.25,
  };
  const [added, upstream] = pcall(addUpstream, name, options, parseKey(decodeToken(key!)), servers);
  if (added) shown.push({ name, upstream: upstream, lines: [] });
  else complain(file, `upstream "${name}" cannot be used: ${tostring(upstream)}`);
  return index;
}

function complain(file: string, what: string): void {
  ngx.log(ngx.ERR, `upsync: boot file ${file}: ${what}`);
}
