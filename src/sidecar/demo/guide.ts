/** The places a tour shows. */
export interface Places {
  readonly registry: number;
  readonly proxy: number;
  /** Ports of the backends in the list, then the spare one that is not in it yet. */
  readonly backends: readonly [number, number, number, number];
  /** How to run the program here, `node /path/to/dist/sidecar/main.js`. */
  readonly program: string;
  readonly directory: string;
}

/** The tour's text: what runs where, and commands to paste. */
export function guide({ registry, proxy, backends, program, directory }: Places): string {
  const key = (port: number): string =>
    `http://127.0.0.1:${registry}/v1/kv/upstreams/backend/127.0.0.1:${port}`;
  const [first, second, , spare] = backends;
  return `
  nginx (unpatched)   http://127.0.0.1:${proxy}/        configuration: ${directory}/nginx.conf
  registry            http://127.0.0.1:${registry}/v1/kv/upstreams/backend/?recurse
  backends            127.0.0.1 ${backends.join(', ')} (the last one is not in the list yet)

  Paste these into another terminal; nginx is never reloaded, its worker pids stay the same:

    see who answers           for i in 1 2 3 4 5 6; do curl -s http://127.0.0.1:${proxy}/; done
    see the list              curl 'http://127.0.0.1:${proxy}/upstream_list?backend'
    change a weight           curl -X PUT -d '{"weight":5}' ${key(first)}
    add a server              curl -X PUT -d '{"weight":2}' ${key(spare)}
    take one down             curl -X PUT -d '{"down":1}' ${key(second)}
    remove it                 curl -X DELETE ${key(second)}
    what each worker runs     ${program} show
    look at the translation   ${program} render -c ${directory}/nginx.conf -p ${directory}/

  Each change of the list is printed below. Ctrl-C ends everything and leaves nothing behind.
`;
}
