import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { UpsyncError } from '../../src/upstream/errors.ts';
import { createServer } from '../../src/upstream/server.ts';
import { engineSettings, plansOf } from '../../src/sidecar/upsync-yaml-plans.ts';
import { parseYaml } from '../../src/sidecar/upsync-yaml.ts';

const read = (text: string) => parseYaml(text, '/etc/upsync/upsync.yaml');
const plans = (text: string) => plansOf(read(text));

test('upstreams speak the words of the directive', () => {
  const [users] = plans(
    `
upstreams:
  - name: users
    upsync: consul.internal:8500/v1/health/service/users
    upsync_type: consul_health
    upsync_interval: 500ms
    upsync_timeout: 60
    upsync_lb: hash_ketama
    upsync_dump_path: lists/users.conf
    allow_empty: on
    strong_dependency: true
    token_file: token
    tag: [blue, fast]
    passing: yes-is-no-flag
`.replace(
      '    passing: yes-is-no-flag\n',
      '    passing: true\n    servers: ["10.0.0.1:80 weight=2 backup"]\n',
    ),
  );
  expect(users).toMatchObject({
    name: 'users',
    source: {
      type: 'consul_health',
      addresses: ['http://consul.internal:8500'],
      path: '/v1/health/service/users',
      intervalMs: 500,
      timeoutMs: 60_000,
      tokenFile: '/etc/upsync/token',
      tags: ['blue', 'fast'],
      passing: true,
    },
    allowEmpty: true,
    strongDependency: true,
    dumpPath: '/etc/upsync/lists/users.conf',
    balancer: { method: 'hash_consistent' },
    initial: [createServer('10.0.0.1:80', { weight: 2, maxFails: 1, backup: true })],
    where: '/etc/upsync/upsync.yaml:4',
  });
});

test('settings of the engine have defaults', () => {
  expect(engineSettings(read('{}'))).toEqual({ logLevel: 'info' });
  expect(
    engineSettings(
      read('admin: {listen: "[::1]:8600"}\nguard: {min_keep: 0.5}\nstatus_socket: s.sock\nlog_level: warn'),
    ),
  ).toEqual({
    logLevel: 'warn',
    admin: { host: '::1', port: 8600 },
    guard: { minKeep: 0.5, holdMs: 30_000 },
    statusSocket: '/etc/upsync/s.sock',
  });
});

describe('a mistake is named with its line', () => {
  const one = 'upstreams:\n  - name: a\n    upsync: 127.0.0.1:8500/v1/kv/a/\n    upsync_type: consul\n';
  test.each<[string, string, RegExp]>([
    [
      'a mistyped section',
      'upstream: []\n',
      /unknown name "upstream" in the file, did you mean "upstreams"\? in .*:1$/,
    ],
    [
      'a mistyped parameter',
      `${one}    upsync_intervall: 5s\n`,
      /unknown name "upsync_intervall" in "upstreams\.0", did you mean "upsync_interval"\? in .*:5$/,
    ],
    [
      'a missing one',
      'upstreams:\n  - name: a\n    upsync_type: consul\n',
      /"upstreams\.0\.upsync" is missing in .*:2$/,
    ],
    ['a wrong type', `${one}    seed: many\n`, /"upstreams\.0\.seed" is wrong: .*in .*:5$/],
    ['a wrong time', `${one}    upsync_interval: soon\n`, /"soon" in "upsync_interval".* in .*:3$/],
    [
      'a parameter that does not fit',
      `${one}    passing: true\n`,
      /"passing" means nothing with upsync_type=consul.*in .*:3$/,
    ],
    ['an empty file', '# nothing\n', /the file is empty in .*:1$/],
    ['a name that is there already', one + one.replace('upstreams:\n', ''), /"a" is there already in .*:6$/],
    [
      'a bad server',
      `${one}    servers: [nonsense]\n    \n`.replace('nonsense', '"a b c"'),
      /server line.* in .*:3$/,
    ],
    ['a wrong method', `${one}    upsync_lb: fastest\n`, /"upsync_lb" must be one of roundrobin.* in .*:3$/],
    ['a broken file', 'upstreams: [\n  - {\n', /in .*:[123]$/m],
  ])('%s', (_title, text, message) => {
    expect(() => plans(text)).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID', message: expect.stringMatching(message) }),
    );
  });

  test('a wrong address to listen on', () => {
    expect(() => engineSettings(read('\nadmin:\n  listen: everywhere\n'))).toThrow(
      /"everywhere" is no address.*:3$/,
    );
  });
});

test('a token is in no message, however wrong the file is', () => {
  for (const text of [
    'upstreams:\n  - name: a\n    token: "very-secret\n',
    'upstreams:\n  - token: {very-secret: 1}\n',
    'upstreams:\n  - name: a\n    upsync: x\n    upsync_type: consul\n    token: very-secret\n    tokn: very-secret\n',
    'upstreams:\n  - name: a\n\ttoken: very-secret\n',
  ]) {
    let message = '';
    try {
      plans(text);
    } catch (error) {
      message = (error as Error).message;
    }
    expect(message).not.toBe('');
    if (!text.includes('{very-secret')) expect(message).not.toContain('very-secret');
  }
});

test('any text is a configuration or a clear error', () => {
  const words = fc.constantFrom(
    'upstreams',
    'nginx',
    ':',
    '\n',
    '  ',
    '- ',
    'name',
    'a',
    '&x',
    '*x',
    '{',
    '}',
    '[',
    '"',
    '0',
    '!!',
    '|',
    '<<',
  );
  fc.assert(
    fc.property(fc.array(words, { maxLength: 30 }), (parts) => {
      try {
        plans(parts.join(''));
      } catch (error) {
        expect(error).toBeInstanceOf(UpsyncError);
      }
    }),
    { numRuns: 500 },
  );
});
