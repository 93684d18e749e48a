import type { BalancerOptions } from '../../balancer/balancer.ts';
import type { Server } from '../../upstream/server-type.ts';

/**
 * What the workers are told by the translated configuration, before the engine speaks: written by the translator into
 * the runtime directory, read by `init_by_lua` in the nginx master.
 */
export interface BootConfig {
  /**
   * Something in the configuration may give a client another answer than its server's: `error_page`, a cache, Lua. The
   * status of a request then does not tell whether its server failed. @default false
   */
  readonly veiled?: boolean;
  /**
   * Nothing in the configuration needs the log phase of a request that ends well: one that fails and may be repeated comes
   * back to the balancer in any case, and no phase runs Lua of the user's. @default false
   */
  readonly sparesLog?: boolean;
  readonly upstreams: readonly BootUpstream[];
}

/** Every upstream of the http block in configuration order, implicit ones (`proxy_pass http://ip:port`) included. */
export type BootUpstream =
  | {
      readonly kind: 'upsync';
      readonly name: string;
      readonly balancer: BalancerOptions;
      /** What the hash methods hash, as written, nginx variables in it: `$request_uri$arg_id`. */
      readonly hashKey?: string;
      /** The list to start with: the `server` lines, or the dump file when there is one. */
      readonly servers: readonly Server[];
    }
  | {
      readonly kind: 'plain';
      readonly name: string;
      /** `upstream_show` lines without indentation: `server 10.0.0.1:80 weight=1 max_fails=1 fail_timeout=10s;`. */
      readonly lines: readonly string[];
    };
