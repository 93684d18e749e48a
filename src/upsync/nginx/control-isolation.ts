/** What makes the control server do without something that the user's `http` block says for all servers. */
interface Undoing {
  /** The user's directive. */
  readonly given: string;
  /** For the control server. */
  readonly server: string;
  /** For the `http` block, before it. */
  readonly http?: string;
}

// Its answers are JSON, which no list names that is like this.
const NO_TYPE = 'application/x-upsync-none';

/**
 * Only what can stand in `http` and would delay, refuse or change an answer. A limit cannot be switched off, so another one
 * takes its place that never counts: nginx does not count an empty key, and no user logs in at the control server.
 */
const UNDOINGS: readonly Undoing[] = [
  {
    given: 'limit_req',
    http: 'limit_req_zone $remote_user zone=upsync_no_req:1m rate=1r/s;',
    server: 'limit_req zone=upsync_no_req;',
  },
  {
    given: 'limit_conn',
    http: 'limit_conn_zone $remote_user zone=upsync_no_conn:1m;',
    server: 'limit_conn upsync_no_conn 1;',
  },
  { given: 'limit_rate', server: 'limit_rate 0;' },
  { given: 'auth_request', server: 'auth_request off;' },
  { given: 'auth_jwt', server: 'auth_jwt off;' },
  { given: 'modsecurity', server: 'modsecurity off;' },
  { given: 'mirror', server: 'mirror off;' },
  { given: 'post_action', server: 'post_action "";' },
  { given: 'ssl', server: 'ssl off;' },
  { given: 'ssi', server: 'ssi off;' },
  { given: 'sub_filter_types', server: `sub_filter_types ${NO_TYPE};` },
  { given: 'addition_types', server: `addition_types ${NO_TYPE};` },
];
/** Phases in which the `http` block may run Lua of the user's. */
const PHASES = ['server_rewrite', 'rewrite', 'precontent', 'access', 'header_filter', 'body_filter'];

/**
 * Directives that keep the control server clear of the user's `http` block: those for the block, and those for the server.
 * Each only where it is needed, since a phase with Lua anywhere, or a limit, costs every request something.
 * @param given names of the directives that stand in the user's `http` block itself.
 */
export function isolation(given: ReadonlySet<string>): { readonly http: string; readonly server: string } {
  const wanted = UNDOINGS.filter((undoing) => given.has(undoing.given));
  const phases = PHASES.filter((phase) =>
    ['', '_block', '_file'].some((form) => given.has(`${phase}_by_lua${form}`)),
  );
  return {
    http: wanted.map(({ http }) => (http === undefined ? '' : `${http} `)).join(''),
    server: [
      ...wanted.map(({ server }) => `${server} `),
      ...phases.map((phase) => `${phase}_by_lua_block { return } `),
    ].join(''),
  };
}
