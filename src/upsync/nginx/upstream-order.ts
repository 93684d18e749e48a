import { isIPv4, isIPv6 } from 'node:net';
import { toText } from './config/bytes.ts';
import type { Directive } from './config/parse.ts';

/** The target of a `proxy_pass` or the like, when it is fixed. */
export interface PassTarget {
  readonly kind: 'ip' | 'name' | 'unix';
  /** Name of the upstream that nginx makes of it: the host without its port. */
  readonly name: string;
  readonly host: string;
  /** As written or the scheme's; 0 when there is neither. */
  readonly port: number;
}

// Default ports by scheme; '' is for directives whose argument needs no scheme. Source: nginx, each module's *_pass.
const PASS: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  proxy_pass: { http: 80, https: 443 },
  grpc_pass: { '': 80, grpc: 80, grpcs: 443 },
  fastcgi_pass: { '': 0 },
  scgi_pass: { '': 0 },
  uwsgi_pass: { '': 0, uwsgi: 0, suwsgi: 0 },
  memcached_pass: { '': 0 },
};

/**
 * The upstream a directive refers to; undefined when it is no `*_pass`, has a variable, or is not understood (nginx will
 * say so). Source: nginx, ngx_parse_url() and ngx_http_upstream_add().
 */
export function passTarget(directive: Directive): PassTarget | undefined {
  const schemes = PASS[directive.name];
  const value = toText(directive.args[0]?.value ?? '');
  if (schemes === undefined || directive.args.length !== 1 || value === '' || value.includes('$'))
    return undefined;
  const prefix = /^([a-z]+):\/\//i.exec(value);
  const port = schemes[prefix?.[1]?.toLowerCase() ?? ''];
  if (port === undefined) return undefined;
  const rest = value.slice(prefix?.[0].length ?? 0);
  if (rest.startsWith('unix:')) {
    const socket = rest.slice(5).split(':')[0]!;
    return { kind: 'unix', name: socket, host: socket, port: 0 };
  }
  const split = /^(\[[^\]]*\]|[^:/?]*)(?::(\d{1,5}))?(?=[/?]|$)/.exec(rest);
  if (!split || split[1] === '') return undefined;
  const host = split[1]!;
  const bare = host.replace(/^\[|\]$/g, '');
  const literal = host.startsWith('[') ? isIPv6(bare) : isIPv4(host);
  return { kind: literal ? 'ip' : 'name', name: host, host: bare, port: Number(split[2] ?? port) };
}

/** Whether a directive sends requests to an upstream, be its target fixed or not. */
export function isPass(name: string): boolean {
  return Object.hasOwn(PASS, name);
}

/**
 * The upstreams of an http block in nginx's order, which is that of first mention: an `upstream` block, or a `*_pass` that
 * names it before or makes one of its own.
 */
export class UpstreamOrder<T> {
  readonly #entries: { name: string; port: number; block?: T; pass?: PassTarget }[] = [];
  readonly #byName = new Map<string, { name: string; port: number; block?: T; pass?: PassTarget }[]>();

  /** An `upstream` block. False when there was one of that name already. */
  define(name: string, block: T): boolean {
    const known = this.#byName.get(name.toLowerCase()) ?? [];
    if (known.some((entry) => entry.block !== undefined)) return false;
    const mentioned = known[0];
    if (mentioned) {
      mentioned.block = block;
      mentioned.port = 0;
    } else this.#push({ name, port: 0, block });
    return true;
  }

  mention(pass: PassTarget): void {
    const known = this.#byName.get(pass.name.toLowerCase()) ?? [];
    if (known.some(({ port }) => port === 0 || pass.port === 0 || port === pass.port)) return;
    this.#push({ name: pass.name, port: pass.port, pass });
  }

  list(): readonly { readonly name: string; readonly block?: T; readonly pass?: PassTarget }[] {
    return this.#entries;
  }

  #push(entry: { name: string; port: number; block?: T; pass?: PassTarget }): void {
    this.#entries.push(entry);
    const key = entry.name.toLowerCase();
    const known = this.#byName.get(key);
    if (known) known.push(entry);
    else this.#byName.set(key, [entry]);
  }
}
