import { Agent, get } from 'node:http';
import { writeFileSync } from 'node:fs';
import { describe, expect, it, onTestFinished } from 'vitest';
import { NginxControl } from '../../src/upsync/nginx/control.ts';
import { type Backend, closedAddress } from '../helpers/backend.ts';
import { Box, isAlive, type Started, until } from '../helpers/upsync-nginx.ts';
import { allRequired, isAtLeast, newerNginx } from './newer-nginx.ts';

// Debian 12's nginx runs every other test. Here the same program drives the nginx of newer Debian suites, whose
// defaults differ: since 1.29.7 every upstream caches connections and proxies HTTP/1.1 without being told to.

const DEFAULT_KEEPALIVE_SINCE = '1.29.7';
// Debian's testing and stable; the older one proves what nginx did in between.
const SUITES = [
  { suite: 'trixie', atLeast: '1.26.0' },
  { suite: 'forky', atLeast: '1.30.0' },
] as const;

describe.each(SUITES)('nginx of $suite', ({ suite, atLeast }) => {
  const found = newerNginx(suite);
  if ('missing' in found) {
    it(`is not on this machine: ${found.missing}`, () => {
      expect(allRequired, found.missing).toBe(false);
    });
    return;
  }
  const { program, version } = found;
  console.log(`nginx of ${suite}: ${version}`);

  /** A machine whose nginx is the newer one, with as many servers in its list as asked for. */
  const open = async (options: Configured & { servers?: number } = {}): Promise<Running> => {
    const box = await Box.open({ teardown: (step) => onTestFinished(async () => void (await step())) });
    box.env['UPSYNC_NGINX'] = program;
    const backends: Backend[] = [];
    for (let i = 0; i < (options.servers ?? 1); i++) backends.push(await box.backend());
    for (const { address } of backends) await box.put(address);
    configure(box, options);
    const started = await box.start();
    await until(async () => {
      const list = await box.list();
      return backends.every(({ address }) => list.includes(address));
    });
    return { box, backends, started };
  };

  it(`is ${atLeast} or newer, and the one that runs`, async () => {
    expect(isAtLeast(version, atLeast), version).toBe(true);
    const { box, started } = await open();
    expect((await headers(box.proxyPort, '/')).server).toBe(`nginx/${version}`);
    expect(started.output()).not.toMatch(/reload_mode|"level":"(warn|error)"/);
    expect((await box.runAsync('check', '-c', box.file('nginx.conf'))).output).toContain(version);
  });

  it('is told of a change in the registry, and shows the list', async () => {
    const { box, backends } = await open();
    const [first] = backends;
    const added = await box.backend();
    await box.put(added.address, { weight: 7, max_fails: 3, fail_timeout: 20 });
    await until(async () => (await box.list()).includes(added.address));
    expect(await box.list()).toBe(
      'Upstream name: test; Backend server count: 2\n' +
        `        server ${added.address} weight=7 max_fails=3 fail_timeout=20s;\n` +
        `        server ${first!.address} weight=1 max_fails=2 fail_timeout=10s;\n`,
    );
    await box.put(added.address, { weight: 7, down: 1 });
    await until(async () => (await box.list()).includes('down'));
    expect(new Set(await answers(box, 10))).toEqual(new Set([first!.address]));
  });

  it('has the sequence of smooth weighted round robin', async () => {
    const { box } = await open({ servers: 0 });
    const a = await box.backend();
    const others = [await box.backend(), await box.backend()];
    const list = [a, ...others]
      .map(({ address }, i) => `server ${address} weight=${i === 0 ? 5 : 1};\n`)
      .join('');
    configure(box, { initial: list });
    process.kill(Number(box.read('nginx.pid')), 'SIGHUP');
    await until(async () => (await box.list()).includes('count: 3'));
    // In the order of the list, which upstream_show prints; new servers stand first.
    const [b, c] = (await box.list()).split('\n').flatMap((line) => / (\S+) weight=1 /.exec(line)?.[1] ?? []);
    const cycle = [a.address, a.address, b, a.address, c, a.address, a.address];
    const sequence = await answers(box, 14);
    // New workers may have answered before; the cycle goes on from there.
    expect([...cycle, ...cycle, ...cycle].join()).toContain(sequence.join());
  });

  it('asks the next server when one is dead', async () => {
    const { box, backends } = await open({ servers: 2 });
    await box.put(await closedAddress(), { weight: 100 });
    await until(async () => (await box.list()).includes('count: 3'));
    const known = backends.map(({ address }) => address);
    for (const answer of await answers(box, 20)) expect(known).toContain(answer);
  });

  it('does without the log phase where a request ends well', async () => {
    const { box } = await open({ servers: 2 });
    await answers(box, 4);
    const control = new NginxControl({ socketPath: box.controlSocket() });
    onTestFinished(() => control.close());
    const { locationsWithoutLog, keptPeers } = await control.workers();
    expect(locationsWithoutLog).toBe(1);
    expect(keptPeers).toBeGreaterThanOrEqual(1);
  });

  it('answers 502 when no server is left, at the first attempt and after others', async () => {
    const { box } = await open({ servers: 0 });
    const dead = await closedAddress();
    await box.put(dead, { max_fails: 1, fail_timeout: 60 });
    await until(async () => (await box.list()).includes(dead));
    expect((await box.get('/')).status).toBe(502);
    await box.put(dead, { down: 1 });
    await until(async () => (await box.list()).includes('down'));
    expect((await box.get('/')).status).toBe(502);
    expect(box.read('error.log')).toContain('no live upstreams while connecting to upstream');
    expect(box.read('error.log')).toMatch(/upstream: "http:\/\/test\/"|no live server in upstream "test"/);
  });

  it.each([
    ['as it comes', '', ''],
    ['with "keepalive 16" and HTTP/1.1', 'keepalive 16;', HTTP_1_1],
    ['with "keepalive" before the servers', 'keepalive 16;', HTTP_1_1, 'first'],
    ['with a zone', 'zone test 256k;', ''],
    ['with a zone and "keepalive"', 'zone test 256k; keepalive 16;', HTTP_1_1],
    ...(isAtLeast(version, DEFAULT_KEEPALIVE_SINCE)
      ? [['with "keepalive 0"', 'keepalive 0;', ''] as [string, string, string, string?]]
      : []),
  ] as [string, string, string, string?][])(
    'keeps connections as it does for an upstream of its own, %s',
    async (_what, inUpstream, inServer, order) => {
      const { box, backends } = await open({ inUpstream, inServer, optionsFirst: order === 'first' });
      const plain = await box.backend();
      configure(box, {
        inUpstream,
        inServer,
        optionsFirst: order === 'first',
        http: `upstream plain { ${inUpstream.replace('zone test', 'zone plain')} server ${plain.address}; }`.replace(
          /^(upstream plain \{)(.*?)(server [^;]*;)/,
          order === 'first' ? '$1$2$3' : '$1$3$2',
        ),
        location: 'location /plain { proxy_pass http://plain; }',
      });
      const { workers } = box.processes();
      process.kill(Number(box.read('nginx.pid')), 'SIGHUP');
      await until(async () => (await box.get('/plain')).text === plain.address);
      await until(() => workers.every((pid) => !isAlive(pid)));
      const ours = backends[0]!;
      const before = { ours: ours.connections, plain: plain.connections };
      await answers(box, 50);
      await answers(box, 50, '/plain');
      const opened = { ours: ours.connections - before.ours, plain: plain.connections - before.plain };
      // The request that waited for the reload may have left a connection to `plain`, one worker has one more.
      expect(Math.abs(opened.ours - opened.plain), JSON.stringify(opened)).toBeLessThanOrEqual(2);
      const kept =
        inServer !== '' ||
        (isAtLeast(version, DEFAULT_KEEPALIVE_SINCE) && !inUpstream.includes('keepalive 0'));
      expect(opened.ours < 10, JSON.stringify(opened)).toBe(kept);
    },
  );

  it.each([
    ['least_conn', 'least_conn;'],
    ['ip_hash', 'ip_hash;'],
    ['consistent hash', 'hash $uri consistent;'],
    ['random two', 'random two;'],
  ])('balances by %s', async (_what, method) => {
    const { box, backends } = await open({ servers: 3, inUpstream: method, optionsFirst: true });
    const known = new Set(backends.map(({ address }) => address));
    const seen = await answers(box, 30);
    expect(seen.every((answer) => known.has(answer))).toBe(true);
    if (method.includes('hash')) expect(new Set(seen).size).toBe(1);
  });

  it('takes 100 changes under load without a failed request or a new worker', async () => {
    const { box, backends, started } = await open({ servers: 3, workers: 2 });
    const before = box.processes();
    const stop = new AbortController();
    const load = Promise.all([1, 2, 3, 4].map(() => requestsUntil(box.proxyPort, stop.signal)));
    const last = backends.at(-1)!.address;
    for (let change = 1; change <= 100; change++) {
      if (change % 10 === 5) await box.remove(last);
      else await box.put(last, { weight: change });
      if (change % 10 !== 0) continue;
      await until(async () => (await box.list()).includes(`${last} weight=${change} `));
    }
    stop.abort();
    const done = (await load).flat();
    expect(done.filter((status) => status !== 200)).toEqual([]);
    expect(done.length).toBeGreaterThan(100);
    expect(box.processes()).toEqual(before);
    expect(started.child.exitCode).toBe(null);
  });

  it('starts new workers with the list at HUP, and leaves nothing behind after QUIT', async () => {
    const { box, backends, started } = await open({ servers: 2, workers: 2 });
    const before = box.processes();
    const list = await box.list();
    process.kill(started.pid, 'SIGHUP');
    await until(() => before.workers.every((pid) => !isAlive(pid)));
    expect(await box.list()).toBe(list);
    expect((await box.get('/')).status).toBe(200);
    const after = box.processes();
    expect(after.master).toBe(before.master);
    const added = await box.backend();
    await box.put(added.address);
    await until(async () => (await box.list()).includes(`count: ${backends.length + 1}\n`));
    process.kill(started.pid, 'SIGQUIT');
    expect(await started.exit).toBe(0);
    for (const pid of [after.master, after.engine, ...after.workers]) expect(isAlive(pid)).toBe(false);
    expect(box.read('error.log')).not.toMatch(/\[(warn|error|crit|alert|emerg)\]/);
  });
});

const HTTP_1_1 = 'proxy_http_version 1.1; proxy_set_header Connection "";';

interface Configured {
  /** Directives of `upstream test`, after its servers unless `optionsFirst`. */
  readonly inUpstream?: string;
  readonly optionsFirst?: boolean;
  readonly inServer?: string;
  readonly http?: string;
  readonly location?: string;
  readonly workers?: number;
  /** A list of its own in a file, in this order, instead of the registry's. */
  readonly initial?: string;
}

interface Running {
  readonly box: Box;
  readonly backends: readonly Backend[];
  readonly started: Started;
}

/** nginx.conf with `upstream test` and one worker, whose sequence can be seen. */
function configure(box: Box, options: Configured): void {
  const { inUpstream = '', optionsFirst = false, inServer = '', http = '', location = '' } = options;
  if (options.initial !== undefined) writeFileSync(box.file('list.conf'), options.initial);
  const source =
    options.initial === undefined
      ? `upsync 127.0.0.1:${box.registry.port}/v1/kv/upstreams/test/ upsync_type=consul upsync_interval=50ms;`
      : `upsync ${box.file('list.conf')} upsync_type=file;`;
  writeFileSync(
    box.file('nginx.conf'),
    `daemon off; worker_processes ${options.workers ?? 1};
events { }
http {
  access_log off;
  upstream test {
    ${optionsFirst ? inUpstream : ''}
    ${source}
    upsync_dump_path ${box.file('servers_test.conf')};
    server 127.0.0.1:1;
    ${optionsFirst ? '' : inUpstream}
  }
  ${http}
  server {
    listen 127.0.0.1:${box.proxyPort};
    ${inServer}
    location / { proxy_pass http://test; }
    location /upstream_list { upstream_show; }
    ${location}
  }
}
`,
  );
}

async function answers(box: Box, count: number, url = '/'): Promise<readonly string[]> {
  const texts: string[] = [];
  for (let i = 0; i < count; i++) {
    const { status, text } = await box.get(url);
    expect(status).toBe(200);
    texts.push(text);
  }
  return texts;
}

async function headers(port: number, url: string): Promise<Record<string, unknown>> {
  return new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', port, path: url, agent: false }, (response) => {
      response.resume();
      resolve(response.headers);
    }).once('error', reject);
  });
}

/** Asks again and again on one connection; the statuses, 0 for a request that had no answer. */
async function requestsUntil(port: number, signal: AbortSignal): Promise<readonly number[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const statuses: number[] = [];
  while (!signal.aborted)
    statuses.push(
      await new Promise<number>((resolve) => {
        get({ host: '127.0.0.1', port, path: '/', agent, timeout: 5000 }, (response) => {
          response.resume();
          response.once('end', () => resolve(response.statusCode ?? 0));
        })
          .once('timeout', () => resolve(0))
          .once('error', () => resolve(0));
      }),
    );
  agent.destroy();
  return statuses;
}
