import t from 'tap';
import { findEtcd, RunningEtcd } from '../helpers/etcd.ts';
import { FakeConsul } from '../helpers/fake-consul.ts';
import { Box, until } from '../helpers/upsync-nginx.ts';

// What nginx-upsync-module makes of keys, values and tags, from the registry's reply to the text that nginx prints: the
// server's attributes, or nothing where the entry is no server. `show` leaves out what is the default.

interface Case {
  readonly what: string;
  readonly show: string;
}

const weight = (value: number | string): string => `weight=${value} max_fails=2 fail_timeout=10s;`;
const fails = (value: number): string => `weight=1 max_fails=${value} fail_timeout=10s;`;
const seconds = (value: number): string => `weight=1 max_fails=2 fail_timeout=${value}s;`;
const DEFAULTS = weight(1);
const DOWN = 'weight=1 max_fails=2 fail_timeout=10s down;';

/** What a key holds, and the line it gives. Source: nginx-upsync-module, upsync_consul_parse_json(). */
const VALUES: readonly (readonly [value: string | null, show: string])[] = [
  [null, DEFAULTS],
  ['', DEFAULTS],
  ['{}', DEFAULTS],
  ['{"weight":20,"max_fails":3,"fail_timeout":30}', 'weight=20 max_fails=3 fail_timeout=30s;'],
  ['{"weight":20,"max_fails":3,"fail_timeout":30,"down":1}', 'weight=20 max_fails=3 fail_timeout=30s down;'],
  ['{"weight":"7"}', weight(7)],
  ['{"weight":2.9}', weight(2)],
  ['{"weight":0}', DEFAULTS],
  ['{"weight":-3}', DEFAULTS],
  ['{"weight":null}', DEFAULTS],
  ['{"weight":"x"}', DEFAULTS],
  ['{"weight":true}', DEFAULTS],
  ['{"weight":70000}', weight(70_000)],
  // Here we differ: the module knows no bound, and a hash ring of it would have 160 million points.
  ['{"weight":1000000000}', weight(1_000_000)],
  ['{"max_fails":0}', fails(0)],
  ['{"max_fails":"3"}', fails(3)],
  ['{"max_fails":-1}', DEFAULTS],
  ['{"max_fails":"x"}', DEFAULTS],
  ['{"max_fails":null}', fails(0)],
  ['{"fail_timeout":0}', seconds(0)],
  ['{"fail_timeout":"20"}', seconds(20)],
  ['{"fail_timeout":"10s"}', DEFAULTS],
  ['{"fail_timeout":-1}', DEFAULTS],
  ['{"fail_timeout":null}', seconds(0)],
  ['{"down":1}', DOWN],
  ['{"down":"1"}', DOWN],
  ['{"down":true}', DOWN],
  ['{"down":0}', DEFAULTS],
  ['{"down":"0"}', DEFAULTS],
  ['{"down":false}', DEFAULTS],
  ['{"down":2}', DEFAULTS],
  ['{"down":"yes"}', DEFAULTS],
  ['{"WEIGHT":5}', weight(5)],
  ['{"weight":4,"slow":"down","color":[1]}', weight(4)],
  ['{"weight":3} and more', weight(3)],
  ['{"weight":3,"weight":8}', weight(3)],
  ['{"weight":05}', weight(5)],
  ['{"weight":2e1}', weight(20)],
  ['{"weight":6,"note":"\\d"}', weight(6)],
  ['{"weight":6,}', DEFAULTS],
  ['not JSON', DEFAULTS],
  ['[1]', DEFAULTS],
  ['5', DEFAULTS],
];

/** Keys below the path; an empty text is no server. */
const KEYS: readonly (readonly [key: string, show: string])[] = [
  ['nested/deep/10.9.0.1:80', DEFAULTS],
  ['010.9.0.8:080', DEFAULTS],
  ['010.9.0.8:0000080', DEFAULTS],
  ['', ''],
  ['folder/', ''],
  ['10.9.0.2', ''],
  ['10.9.0.3:', ''],
  ['10.9.0.4:0', ''],
  ['10.9.0.5:65536', ''],
  ['10.9.0.6:8a', ''],
  ['10.9.0.7:80:81', ''],
  ['255.255.255.255:80', ''],
];

/** Tags of a service. Source: nginx-upsync-module, upsync_consul_services_parse_json(). */
const TAGS: readonly (readonly [tags: readonly string[] | null, show: string])[] = [
  [null, DEFAULTS],
  [[], DEFAULTS],
  [['weight=3', 'max_fails=0', 'fail_timeout=7'], 'weight=3 max_fails=0 fail_timeout=7s;'],
  [['fail_timeout=30s'], seconds(30)],
  [['fail_timeout=1m'], seconds(60)],
  [['fail_timeout=1h30m'], seconds(5400)],
  [['fail_timeout=1h30'], seconds(3630)],
  [['fail_timeout=1m 30s'], seconds(90)],
  [['fail_timeout=30d'], seconds(2_147_483)],
  [['fail_timeout=500ms'], DEFAULTS],
  [['weight=4 '], DEFAULTS],
  [['weight=0'], DEFAULTS],
  [['weight=x', 'max_fails=-1'], DEFAULTS],
  [['weight=2', 'weight=5'], weight(5)],
  [['weight=6', 'weight=y'], weight(6)],
  [['Weight=3', ' weight=4', 'blue'], DEFAULTS],
  [['down'], DOWN],
  [['down=1'], DEFAULTS],
];

/** Statuses of the checks of an instance. Source: nginx-upsync-module, upsync_consul_health_parse_json(). */
const CHECKS: readonly (readonly [statuses: readonly string[], show: string])[] = [
  [[], DEFAULTS],
  [['passing', 'passing'], DEFAULTS],
  [['passing', 'critical'], DOWN],
  [['warning'], DOWN],
  [['maintenance'], DOWN],
  [[''], DOWN],
];

await t.test('keys and values of the KV store', async (t) => {
  const { box, consul } = await start(t, 'consul', '/v1/kv/upstreams/test/');
  const expected = new Map<string, Case>();
  const keys: Record<string, string | null> = {};
  for (const [i, [value, show]] of VALUES.entries()) {
    keys[`upstreams/test/${address(i)}`] = value;
    expected.set(address(i), { what: `value ${value}`, show });
  }
  for (const [key, show] of KEYS) {
    keys[`upstreams/test/${key}`] = null;
    if (show !== '') expected.set(key.slice(key.lastIndexOf('/') + 1), { what: `key ${key}`, show });
  }
  // A neighbour of the path belongs to somebody else.
  keys['upstreams/test2/10.9.9.9:80'] = null;
  consul.put(keys);
  await compare(t, box, expected);
});

await t.test('services of the catalog', async (t) => {
  const { box, consul } = await start(t, 'consul_services', '/v1/catalog/service/web');
  const expected = new Map<string, Case>();
  const entries: object[] = TAGS.map(([tags, show], i) => {
    expected.set(address(i), { what: `tags ${JSON.stringify(tags)}`, show });
    return { Address: '10.8.0.1', ServiceAddress: host(i), ServicePort: 80, ServiceTags: tags };
  });
  entries.push(
    { Address: '10.7.0.1', ServiceAddress: '', ServicePort: 80, ServiceTags: [] },
    { Address: '10.7.0.2', ServicePort: 82.9, ServiceTags: [] },
    { Address: '10.7.0.3', ServiceAddress: '', ServicePort: '80', ServiceTags: [] },
    { Address: '10.7.0.4', ServiceAddress: '', ServicePort: 0, ServiceTags: [] },
    { ServicePort: 80, ServiceTags: [] },
  );
  expected.set('10.7.0.1:80', { what: 'the address of the node', show: DEFAULTS });
  expected.set('10.7.0.2:82', { what: 'a port with a fraction', show: DEFAULTS });
  consul.document('/v1/catalog/service/web', entries);
  await compare(t, box, expected);
});

await t.test('services with their health', async (t) => {
  const { box, consul } = await start(t, 'consul_health', '/v1/health/service/web');
  const expected = new Map<string, Case>();
  const entries = CHECKS.map(([statuses, show], i) => {
    expected.set(address(i), { what: `checks ${JSON.stringify(statuses)}`, show });
    return {
      Node: { Address: '10.8.0.1' },
      Service: { Address: host(i), Port: 80, Tags: [] as string[] },
      Checks: statuses.map((Status) => ({ Status })),
    };
  });
  entries.push({
    Node: { Address: '10.7.0.1' },
    Service: { Address: '', Port: 80, Tags: ['weight=9', 'down'] },
    Checks: [],
  });
  expected.set('10.7.0.1:80', { what: 'the address of the node, and tags', show: DOWN.replace('=1', '=9') });
  consul.document('/v1/health/service/web', entries);
  await compare(t, box, expected);
});

await t.test('keys and values of etcd, by its v2 API', async (t) => {
  const binary = findEtcd();
  if (binary === undefined) throw new Error('there is no etcd on this machine: npm test installs it');
  const etcd = await RunningEtcd.start(binary);
  t.teardown(() => etcd.stop());
  const box = await Box.open(t);
  const expected = new Map<string, Case>();
  for (const [i, [value, show]] of VALUES.entries()) {
    if (value === null) continue;
    await etcd.v2(`/upstreams/test/${address(i)}`, value);
    expected.set(address(i), { what: `value ${value}`, show });
  }
  for (const key of ['nested/10.9.0.1:80', '10.9.0.2', '10.9.0.4:0', '255.255.255.255:80'])
    await etcd.v2(`/upstreams/test/${key}`, '{}');
  await etcd.v2('/upstreams/test2/10.9.9.9:80', '{}');
  configure(box, etcd.url, 'etcd', '/v2/keys/upstreams/test');
  const nginx = await box.start();
  await compare(t, box, expected);

  const [first = '', second = '', ...others] = expected.keys();
  await etcd.v2(`/upstreams/test/${first}`, '{"weight":42}');
  await etcd.v2(`/upstreams/test/${second}`, undefined);
  await etcd.v2('/upstreams/test/10.6.0.1:80', '{}', '&ttl=1');
  expected.set(first, { what: 'a changed value', show: weight(42) });
  expected.delete(second);
  await until(async () => (await box.list()).includes('server 10.6.0.1:80 '));
  await until(async () => !(await box.list()).includes('server 10.6.0.1:80 '));
  await compare(t, box, expected);

  const odd = ['nested', '10.9.0.2', '10.9.0.4:0', '255.255.255.255:80'];
  for (const key of [...others, ...odd, first]) await etcd.v2(`/upstreams/test/${key}`, undefined);
  await until(() => nginx.output().includes('LIST_EMPTY'));
  t.match(await box.list(), `server ${first} `, 'an empty folder leaves the last server');
});

function host(i: number): string {
  return `10.0.${Math.floor(i / 250)}.${(i % 250) + 1}`;
}

function address(i: number): string {
  return `${host(i)}:80`;
}

async function start(
  t: { teardown(step: () => unknown): void },
  type: string,
  path: string,
): Promise<{ readonly box: Box; readonly consul: FakeConsul }> {
  const box = await Box.open(t);
  const consul = await FakeConsul.start();
  t.teardown(() => consul.stop());
  configure(box, consul.url, type, path);
  await box.start();
  return { box, consul };
}

function configure(box: Box, url: string, type: string, path: string): void {
  box.configure({
    upstream: `upsync ${new URL(url).host}${path} upsync_type=${type} upsync_interval=20ms;
    upsync_dump_path ${box.file('servers_test.conf')}; server 127.0.0.1:1;`,
  });
}

/** Every expected line is there, and no other; the dump file says the same. */
async function compare(
  t: { equal(found: unknown, wanted: unknown, what: string): boolean },
  box: Box,
  expected: ReadonlyMap<string, Case>,
): Promise<void> {
  await until(async () => !(await box.list()).includes('server 127.0.0.1:1 '));
  const [head, ...lines] = (await box.list()).trimEnd().split('\n');
  t.equal(
    head,
    `Upstream name: test; Backend server count: ${expected.size}`,
    'as many servers as there are',
  );
  const shown = new Map(
    lines.map((line) => /^ {8}server (\S+) (.*)$/.exec(line)!.slice(1) as [string, string]),
  );
  for (const [at, { what, show }] of expected) t.equal(shown.get(at), show, what);
  const dump = lines.map((line) => `${line.trim()}\n`).join('');
  await until(() => box.read('servers_test.conf') === dump);
  t.equal(box.read('servers_test.conf'), dump, 'the dump file');
}
