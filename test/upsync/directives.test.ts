import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseMethod, withLbWord } from '../../src/upsync/balancing.ts';
import { dumpPathOf, parseUpsyncDirective } from '../../src/upsync/directives.ts';
import { nearestName } from '../../src/upsync/nearest-name.ts';
import { parseRegistryAddress } from '../../src/upsync/registry-address.ts';

const CONTEXT = { file: '/etc/nginx/nginx.conf', line: 12, folder: '/etc/nginx' };
const KV = '127.0.0.1:8500/v1/kv/upstreams/test';
const parse = (...args: string[]) => parseUpsyncDirective(args, CONTEXT);
const messageOf = (step: () => unknown): string => {
  try {
    step();
  } catch (error) {
    return (error as Error).message;
  }
  return 'no error';
};

describe('the address of the registry', () => {
  const rows: readonly (readonly [string, readonly string[], string])[] = [
    [KV, ['http://127.0.0.1:8500'], '/v1/kv/upstreams/test'],
    ['consul/v1/kv/a/', ['http://consul:80'], '/v1/kv/a/'],
    ['https://consul.example/v1/kv/a', ['https://consul.example:443'], '/v1/kv/a'],
    ['http://consul:8500/v1/kv/a', ['http://consul:8500'], '/v1/kv/a'],
    ['[::1]:8500/v1/kv/a', ['http://[::1]:8500'], '/v1/kv/a'],
    ['[2001:db8::1]/x', ['http://[2001:db8::1]:80'], '/x'],
    ['10.0.0.1:8500,10.0.0.2:8500/v1/kv/a', ['http://10.0.0.1:8500', 'http://10.0.0.2:8500'], '/v1/kv/a'],
    ['https://a:8501,b:8501,http://c/x', ['https://a:8501', 'https://b:8501', 'http://c:80'], '/x'],
    ['a,a/x', ['http://a:80'], '/x'],
    ['h:8500/v1/kv/a?token=T&dc=x', ['http://h:8500'], '/v1/kv/a?token=T&dc=x'],
    ['h/v1/kv/a,b', ['http://h:80'], '/v1/kv/a,b'],
    ['h/v1/kv/http://x', ['http://h:80'], '/v1/kv/http://x'],
    ['my_consul.svc.cluster.local:08500/x', ['http://my_consul.svc.cluster.local:8500'], '/x'],
  ];
  it.each(rows)('%s', (text, addresses, path) => {
    expect(parseRegistryAddress(text)).toEqual({ addresses, path });
  });

  it.each([
    ['127.0.0.1:8500', 'no path in "127.0.0.1:8500": expected HOST[:PORT]/PATH'],
    [':8500/x', 'no registry host in ":8500/x"'],
    ['h:0/x', `the registry's port in "h:0/x" must be 1 to 65535`],
    ['h:70000/x', `the registry's port in "h:70000/x" must be 1 to 65535`],
    ['h:x/x', `the registry's port in "h:x/x" must be 1 to 65535`],
    ['h:/x', `the registry's port in "h:/x" must be 1 to 65535`],
    ['::1/x', `the registry's address in "::1/x" is not HOST[:PORT] (an IPv6 host needs brackets)`],
    ['[zz]/x', 'the registry host in "[zz]/x" is neither an IP address nor a host name'],
    ['ftp://h/x', '"ftp://" is not supported, use http:// or https://'],
    ['unix:/run/consul.sock', 'a unix socket cannot be the registry, name a host'],
    ['user:pw@h/x', 'a user name in the address is not supported, use token= or token_file='],
    ['h,/x', 'no registry host in "h,/x"'],
    ['h/x y', 'the path in "h/x y" has a blank, a "#" or a control character'],
    ['h:0/x?token=SECRET', `the registry's port in "h:0/x?…" must be 1 to 65535`],
  ])('%s is refused', (text, message) => {
    expect(messageOf(() => parseRegistryAddress(text))).toBe(message);
  });
});

describe('the upsync directive', () => {
  it('has the defaults of nginx-upsync-module', () => {
    expect(parse(KV, 'upsync_type=consul')).toEqual({
      source: {
        type: 'consul',
        addresses: ['http://127.0.0.1:8500'],
        path: '/v1/kv/upstreams/test',
        intervalMs: 5000,
        timeoutMs: 360_000,
      },
      strongDependency: false,
      allowEmpty: false,
      seed: -1,
      slowStartMs: 0,
    });
  });

  const rows: readonly (readonly [string, object])[] = [
    [
      'upsync_type=consul upsync_interval=50ms upsync_timeout=1h30m',
      { source: { intervalMs: 50, timeoutMs: 5_400_000 } },
    ],
    ['upsync_type=consul upsync_interval=7', { source: { intervalMs: 7000 } }],
    [
      'upsync_type=consul upsync_interval=0 upsync_timeout=0',
      { source: { intervalMs: 5000, timeoutMs: 360_000 } },
    ],
    ['strong_dependency=on upsync_type=etcd', { source: { type: 'etcd' }, strongDependency: true }],
    ['upsync_type=consul strong_dependency=OFF', { strongDependency: false }],
    ['upsync_type=consul strong_dependency=On', { strongDependency: true }],
    ['upsync_type=consul allow_empty=on', { allowEmpty: true }],
    ['upsync_type=consul token=abc', { source: { token: 'abc' } }],
    ['upsync_type=consul token=a=b', { source: { token: 'a=b' } }],
    ['upsync_type=consul token_file=secret/token', { source: { tokenFile: '/etc/nginx/secret/token' } }],
    ['upsync_type=consul dc=b stale', { source: { dc: 'b', consistency: 'stale' } }],
    ['upsync_type=consul consistency=consistent', { source: { consistency: 'consistent' } }],
    ['upsync_type=consul_health cached passing=on', { source: { cached: true, passing: true } }],
    ['upsync_type=consul_health cached=off passing=off', { source: { cached: false, passing: false } }],
    [
      'upsync_type=consul_services tag=a tag=b use_weights=on',
      { source: { tags: ['a', 'b'], useWeights: true } },
    ],
    ['upsync_type=consul seed=0 slow_start=30s', { seed: 0, slowStartMs: 30_000 }],
  ];
  it.each(rows)('%s', (words, expected) => {
    expect(parse(KV, ...words.split(' '))).toMatchObject(expected);
  });

  it('keeps blanks of a quoted filter', () => {
    const { source } = parse(
      'h/v1/health/service/x',
      'upsync_type=consul_health',
      'filter=Service.Meta.v == "2"',
    );
    expect(source.filter).toBe('Service.Meta.v == "2"');
  });

  it('takes the TLS files from the folder of the main file', () => {
    const { source } = parse(
      'https://h/x',
      'upsync_type=consul',
      'ca=ca.pem',
      'cert=/c.pem',
      'key=k.pem',
      'server_name=s',
    );
    expect(source.tls).toEqual({
      ca: '/etc/nginx/ca.pem',
      cert: '/c.pem',
      key: '/etc/nginx/k.pem',
      serverName: 's',
    });
  });

  it('takes a file in the folder of the main file', () => {
    expect(parse('lists/a.conf', 'upsync_type=file').source).toMatchObject({
      path: '/etc/nginx/lists/a.conf',
      addresses: [],
    });
    expect(parse('/run/a.conf', 'upsync_type=file').source.path).toBe('/run/a.conf');
  });

  it.each([
    [
      [KV],
      '"upsync_type" is missing in the "upsync" directive: one of consul, consul_services, consul_health, etcd, file',
    ],
    [[], 'invalid number of arguments in "upsync" directive'],
    [[KV, 'upsync_type=Consul'], 'invalid value "Consul" in "upsync_type", did you mean "consul"?'],
    [
      [KV, 'upsync_type=zookeeper'],
      'invalid value "zookeeper" in "upsync_type", it must be one of consul, consul_services, consul_health, etcd, file',
    ],
    [[KV, 'upsync_type='], 'parameter "upsync_type" of the "upsync" directive needs a value: upsync_type=…'],
    [[KV, 'upsync_type'], 'parameter "upsync_type" of the "upsync" directive needs a value: upsync_type=…'],
    [
      [KV, 'upsync_interva=5s', 'upsync_type=consul'],
      'unknown parameter "upsync_interva" in the "upsync" directive, did you mean "upsync_interval"?',
    ],
    [[KV, 'qqqqqqqq=1', 'upsync_type=consul'], 'unknown parameter "qqqqqqqq" in the "upsync" directive'],
    [
      [KV, 'tokken=SECRET', 'upsync_type=consul'],
      'unknown parameter "tokken" in the "upsync" directive, did you mean "token"?',
    ],
    [
      [KV, 'UPSYNC_TYPE=consul'],
      'unknown parameter "UPSYNC_TYPE" in the "upsync" directive, did you mean "upsync_type"?',
    ],
    [
      [KV, 'upsync_type=consul', 'upsync_type=etcd'],
      'duplicate parameter "upsync_type" in the "upsync" directive',
    ],
    [
      [KV, 'upsync_type=consul', 'stale', 'consistency=stale'],
      'duplicate parameter "consistency" in the "upsync" directive',
    ],
    [
      [KV, 'upsync_type=consul', 'upsync_interval=5x'],
      'invalid value "5x" in "upsync_interval", expected a time such as 5s, 500ms or 1h30m',
    ],
    [
      [KV, 'upsync_type=consul', 'upsync_timeout=-1'],
      'invalid value "-1" in "upsync_timeout", expected a time such as 5s, 500ms or 1h30m',
    ],
    [
      [KV, 'upsync_type=consul', 'strong_dependency=yes'],
      'invalid value "yes" in "strong_dependency", it must be "on" or "off"',
    ],
    [
      [KV, 'upsync_type=consul', 'passing=on'],
      '"passing" means nothing with upsync_type=consul: use consul_health',
    ],
    [
      [KV, 'upsync_type=consul', 'tag=a'],
      '"tag" means nothing with upsync_type=consul: use consul_services or consul_health',
    ],
    [[KV, 'upsync_type=etcd', 'dc=a'], '"dc" means nothing with upsync_type=etcd: it belongs to Consul'],
    [['a', 'upsync_type=file', 'token=a'], '"token" means nothing with upsync_type=file: the list is a file'],
    [
      [KV, 'upsync_type=consul', 'token=a', 'token_file=b'],
      '"token" and "token_file" cannot both stand in one "upsync" directive',
    ],
    [[KV, 'upsync_type=consul', 'ca=a'], '"ca" needs an address that begins with https://'],
    [
      ['https://h/x', 'upsync_type=consul', 'cert=a'],
      '"cert" and "key" must both be given in the "upsync" directive',
    ],
    [
      [KV, 'upsync_type=consul_health', 'cached', 'consistency=consistent'],
      '"cached" and "consistency=consistent" contradict each other',
    ],
    [[KV, 'upsync_type=consul', 'seed=x'], 'invalid value "x" in "seed", expected a whole number'],
  ])('%j is refused with the place', (args, message) => {
    expect(messageOf(() => parse(...args))).toBe(`${message} in /etc/nginx/nginx.conf:12`);
  });

  it('never shows a token, whatever is wrong', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('token=SECRET', 'tokn=SECRET', 'Token=SECRET', 'toke=SECRET'),
        fc.string(),
        (token, other) => {
          expect(messageOf(() => parse(`${KV}?token=SECRET#`, token, other))).not.toContain('SECRET');
        },
      ),
    );
  });
});

describe('upsync_dump_path', () => {
  it.each([
    ['test', undefined, '/tmp/servers_test.conf'],
    ['../../etc/x', undefined, '/tmp/servers_.._.._etc_x.conf'],
    ['test', '/var/lib/a.conf', '/var/lib/a.conf'],
    ['test', 'conf/a.conf', '/usr/share/nginx/conf/a.conf'],
  ])('%s with %s is %s', (name, given, expected) => {
    expect(dumpPathOf(name, given, '/usr/share/nginx')).toBe(expected);
  });
});

describe('balancing methods', () => {
  const rows: readonly (readonly [string, object])[] = [
    ['least_conn', { method: 'least_conn' }],
    ['ip_hash', { method: 'ip_hash' }],
    ['hash $uri', { method: 'hash', hashKey: '$uri' }],
    ['hash $uri consistent', { method: 'hash_consistent', hashKey: '$uri' }],
    ['random', { method: 'random' }],
    ['random two', { method: 'random_two_least_conn' }],
    ['random two least_conn', { method: 'random_two_least_conn' }],
    ['ewma', { method: 'ewma' }],
    ['bounded_hash $uri', { method: 'bounded_hash', hashKey: '$uri', loadFactor: 1.25 }],
    ['bounded_hash $uri factor=2', { method: 'bounded_hash', loadFactor: 2 }],
  ];
  it.each(rows)('%s', (text, expected) => {
    const [name, ...args] = text.split(' ');
    expect(parseMethod(name!, args)).toMatchObject(expected);
  });

  it.each([
    ['least_conn x', 'invalid number of arguments in "least_conn" directive'],
    ['hash', 'invalid number of arguments in "hash" directive'],
    ['hash $a $b', 'invalid parameter "$b"'],
    ['random three', 'invalid parameter "three"'],
    [
      'random two least_time=header',
      '"random two least_time=header" is not supported, only "random two least_conn" is',
    ],
    ['bounded_hash $a factor=0.5', 'invalid parameter "factor=0.5", expected factor=N with N from 1'],
  ])('%s is refused', (text, message) => {
    const [name, ...args] = text.split(' ');
    expect(messageOf(() => parseMethod(name!, args))).toBe(message);
  });

  const lb: readonly (readonly [string, string | undefined, string])[] = [
    ['roundrobin', undefined, 'round_robin'],
    ['ip_hash', undefined, 'ip_hash'],
    ['least_conn', undefined, 'least_conn'],
    ['least_conn', 'least_conn', 'least_conn'],
    ['hash_modula', 'hash $a', 'hash'],
    ['hash_ketama', 'hash $a consistent', 'hash_consistent'],
    ['random', 'random two', 'random_two_least_conn'],
    [
      'hash_ketama',
      undefined,
      '"upsync_lb hash_ketama" needs to know what to hash: add "hash KEY consistent;"',
    ],
    [
      'hash_modula',
      'hash $a consistent',
      '"upsync_lb hash_modula" contradicts the balancing method "hash consistent" of this upstream',
    ],
    [
      'roundrobin',
      'least_conn',
      '"upsync_lb roundrobin" contradicts the balancing method "least conn" of this upstream',
    ],
    [
      '1',
      undefined,
      'invalid value "1" in "upsync_lb", it must be one of roundrobin, ip_hash, least_conn, hash_modula, hash_ketama, random, ewma, bounded_hash',
    ],
  ];
  it.each(lb)('upsync_lb %s with %s is %s', (word, directive, expected) => {
    const [name, ...args] = directive?.split(' ') ?? [];
    const chosen = name === undefined ? undefined : parseMethod(name, args);
    const result = (): string => withLbWord(word, chosen).method;
    if (expected.includes('"')) expect(messageOf(result)).toBe(expected);
    else expect(result()).toBe(expected);
  });
});

it.each([
  ['upsync_intervall', 'upsync_interval'],
  ['pasing', 'passing'],
  ['xyz', undefined],
])('the name nearest to %s is %s', (typed, expected) => {
  expect(nearestName(typed, ['upsync_interval', 'upsync_timeout', 'passing', 'dc'])).toBe(expected);
});
