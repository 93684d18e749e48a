import type { LookupAddress } from 'node:dns';
import { lookup, Resolver } from 'node:dns/promises';
import { readFile } from 'node:fs/promises';
import { errorText } from '../upstream/errors.ts';

/** All addresses of a host name, of both families, and how long they may be used. */
export interface NameAnswer {
  /** IP addresses in a fixed order, so that a rotating answer is no change. */
  readonly addresses: readonly string[];
  /** Milliseconds. */
  readonly ttlMs: number;
  /** Why one family could not be asked; its earlier addresses then stay. */
  readonly incomplete?: 4 | 6;
}

/** How a host name is resolved; rejects when there is no answer. */
export type ResolveName = (host: string, signal: AbortSignal) => Promise<NameAnswer>;

/** Time to live of names that come from /etc/hosts or the system's own resolver, which tell none. Milliseconds. */
export const SYSTEM_TTL_MS = 30_000;
const MIN_TTL_MS = 1000;
/** A longer time to live is cut to this, so that a mistake in a zone does not last for weeks. */
const MAX_TTL_MS = 3_600_000;

type Family =
  | { readonly addresses: readonly string[]; readonly ttlMs: number }
  | { readonly failure: NodeJS.ErrnoException };

/** Says that a name (or a family of it) does not exist, in contrast to: nobody answered. */
const ABSENT = new Set(['ENODATA', 'ENOTFOUND']);

/** What the system says of a name; `lookup` of node:dns/promises fits. */
export type SystemLookup = (host: string, options: { all: true }) => Promise<readonly LookupAddress[]>;

export interface SystemResolverOptions {
  /** @default '/etc/hosts' */
  readonly hostsFile?: string;
  /** DNS servers, `address:port`. @default those of /etc/resolv.conf */
  readonly servers?: readonly string[];
  readonly lookup?: SystemLookup;
}

/**
 * Resolves a name as nginx's host would: names in /etc/hosts and `localhost` by the system; others by DNS, A and AAAA at
 * once, with their time to live; names DNS does not know (search domains, mDNS) by the system again.
 */
export function systemResolver(options: SystemResolverOptions = {}): ResolveName {
  const hostsFile = options.hostsFile ?? '/etc/hosts';
  const fromSystem = (host: string) => askSystem(host, options.lookup ?? lookup);
  return async (host, signal) => {
    if (host === 'localhost' || host.endsWith('.localhost') || (await hostsFileHas(hostsFile, host)))
      return await fromSystem(host);
    const resolver = new Resolver({ timeout: 2000, tries: 2 });
    if (options.servers) resolver.setServers(options.servers);
    const cancel = () => resolver.cancel();
    signal.addEventListener('abort', cancel, { once: true });
    try {
      const [four, six] = await Promise.all([
        family(resolver.resolve4(host, { ttl: true })),
        family(resolver.resolve6(host, { ttl: true })),
      ]);
      const found = [four, six].filter((one) => 'addresses' in one);
      if (found.length === 0) {
        signal.throwIfAborted();
        return await fromSystem(host);
      }
      const ttlMs = Math.min(...found.map((one) => one.ttlMs));
      return {
        addresses: found.flatMap((one) => one.addresses),
        ttlMs: Math.min(Math.max(ttlMs, MIN_TTL_MS), MAX_TTL_MS),
        ...(unanswered(four) ? { incomplete: 4 } : unanswered(six) ? { incomplete: 6 } : {}),
      };
    } finally {
      signal.removeEventListener('abort', cancel);
    }
  };
}

async function family(query: Promise<{ address: string; ttl: number }[]>): Promise<Family> {
  try {
    const records = await query;
    return {
      addresses: [...new Set(records.map((record) => record.address))].sort(),
      ttlMs: Math.min(...records.map((record) => record.ttl)) * 1000,
    };
  } catch (error) {
    return { failure: error as NodeJS.ErrnoException };
  }
}

function unanswered(one: Family): boolean {
  return 'failure' in one && !ABSENT.has(one.failure.code ?? '');
}

async function askSystem(host: string, ask: SystemLookup): Promise<NameAnswer> {
  const found = await ask(host, { all: true });
  const sorted = [...found].sort((a, b) => a.family - b.family || (a.address < b.address ? -1 : 1));
  return { addresses: [...new Set(sorted.map((one) => one.address))], ttlMs: SYSTEM_TTL_MS };
}

async function hostsFileHas(file: string, host: string): Promise<boolean> {
  try {
    const wanted = host.toLowerCase();
    return (await readFile(file, 'utf8'))
      .split('\n')
      .some((line) => line.replace(/#.*/, '').trim().toLowerCase().split(/\s+/).slice(1).includes(wanted));
  } catch (error) {
    // Without the file the system knows no names of its own; that is usual in small containers.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw new Error(`cannot read ${file}: ${errorText(error)}`, { cause: error });
  }
}
