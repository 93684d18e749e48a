import { describe, expect, it } from 'vitest';
import { readCatalog } from '../../src/discovery/consul-catalog.ts';
import { readHealth } from '../../src/discovery/consul-health.ts';
import type { RegistryReply } from '../../src/discovery/http.ts';
import { openSource } from '../../src/discovery/open.ts';
import { FakeConsul } from '../helpers/fake-consul.ts';
import { ListReader, summary } from '../helpers/reading-lists.ts';
import { replyOf } from '../helpers/registry-reply.ts';
import { sourceOptions } from '../helpers/source-options.ts';

const reply = (value: unknown): RegistryReply => replyOf(JSON.stringify(value));

describe('readCatalog', () => {
  const instance = { ServiceID: 'web-1', Node: 'n1', Address: '10.0.0.9', ServicePort: 80 };
  it.each<[string, object, string[]]>([
    ['the node address', {}, ['10.0.0.9:80']],
    ['the service address first', { ServiceAddress: '10.0.0.1' }, ['10.0.0.1:80']],
    ['the node address for an empty one', { ServiceAddress: '' }, ['10.0.0.9:80']],
    ['the whole part of a port', { ServicePort: 82.9 }, ['10.0.0.9:82']],
    ['no port as text', { ServicePort: '80' }, []],
    ['no port 0', { ServicePort: 0 }, []],
    ['no port above 65535', { ServicePort: 65_536 }, []],
    ['IPv6', { ServiceAddress: '2001:db8::1' }, ['[2001:db8::1]:80']],
    ['a host name', { ServiceAddress: 'app.example' }, ['app.example:80']],
    ['a unix socket', { ServicePort: 0, ServiceSocketPath: '/run/a.sock' }, ['unix:/run/a.sock']],
    ['no address that would break a configuration', { ServiceAddress: '10.0.0.1;x' }, []],
    ['tags', { ServiceTags: ['weight=3', 'down', 'blue', 'weight=x'] }, ['10.0.0.9:80*3 down']],
    ['no tags', { ServiceTags: null }, ['10.0.0.9:80']],
    ['no weight of Consul unless asked to', { ServiceWeights: { Passing: 10, Warning: 1 } }, ['10.0.0.9:80']],
  ])('takes %s', (_name, fields, servers) => {
    const list = readCatalog(reply([{ ...instance, ...fields }]), false);
    expect(summary(list)).toEqual(servers);
    if (servers.length === 0) expect(list.rejected).toMatchObject([{ where: 'web-1 on n1' }]);
  });

  it('takes weights of Consul when asked to, after those of tags', () => {
    const weighted = { ...instance, ServiceWeights: { Passing: 10, Warning: 1 } };
    const tagged = { ...weighted, ServiceAddress: '10.0.0.2', ServiceTags: ['weight=3'] };
    const zero = { ...instance, ServiceAddress: '10.0.0.3', ServiceWeights: { Passing: 0 } };
    expect(summary(readCatalog(reply([weighted, tagged, zero]), true))).toEqual([
      '10.0.0.9:80*10',
      '10.0.0.2:80*3',
      '10.0.0.3:80 down',
    ]);
  });

  it('uses the first of two instances with one address, and reports the other and what is no instance', () => {
    const twice = [instance, { ...instance, ServiceID: 'web-2', ServiceTags: ['down'] }, 5];
    const list = readCatalog(reply(twice), false);
    expect(summary(list)).toEqual(['10.0.0.9:80']);
    expect(list.rejected.map(({ code }) => code)).toEqual(['BAD_ENTRY', 'DUPLICATE_ADDRESS']);
  });

  it('knows the replies of other endpoints', () => {
    expect(() => readCatalog(reply([{ Key: 'a', Value: null }]), false)).toThrow(
      expect.objectContaining({ code: 'SOURCE_WRONG_TYPE' }) as Error,
    );
    expect(readCatalog(reply(null), false).servers).toEqual([]);
    expect(readCatalog(reply([]), false).servers).toEqual([]);
  });
});

describe('readHealth', () => {
  const health = (checks: unknown, service: object = {}) => ({
    Node: { Node: 'n1', Address: '10.0.0.9' },
    Service: { ID: 'web-1', Port: 80, ...service },
    Checks: checks,
  });
  const status = (...all: unknown[]) => all.map((Status) => ({ Status }));

  it.each<[string, unknown, boolean]>([
    ['no checks', [], false],
    ['missing checks', undefined, false],
    ['null checks', null, false],
    ['all passing', status('passing', 'passing'), false],
    ['one warning', status('passing', 'warning'), true],
    ['one critical', status('critical', 'passing'), true],
    ['maintenance', status('maintenance'), true],
    ['another case', status('Passing'), true],
    ['an empty status', status(''), true],
    ['a status that is no text', status(1), true],
  ])('%s', (_name, checks, down) => {
    expect(summary(readHealth(reply([health(checks)]), false))).toEqual([
      `10.0.0.9:80${down ? ' down' : ''}`,
    ]);
  });

  it('with Consul’s weights a warning has its own weight, and 0 means down', () => {
    const weights = { Passing: 10, Warning: 2 };
    const list = readHealth(
      reply([
        health(status('passing'), { Address: '10.0.0.1', Weights: weights }),
        health(status('warning'), { Address: '10.0.0.2', Weights: weights }),
        health(status('warning', 'critical'), { Address: '10.0.0.3', Weights: weights }),
        health(status('warning'), { Address: '10.0.0.4', Weights: { Passing: 10, Warning: 0 } }),
        health(status('warning'), { Address: '10.0.0.5', Weights: weights, Tags: ['weight=7'] }),
      ]),
      true,
    );
    expect(summary(list)).toEqual([
      '10.0.0.1:80*10',
      '10.0.0.2:80*2',
      '10.0.0.3:80*10 down',
      '10.0.0.4:80 down',
      '10.0.0.5:80*7',
    ]);
  });

  it('passes over an entry without a service, and knows the replies of other endpoints', () => {
    const list = readHealth(reply([health([]), { Node: {}, Service: null }]), false);
    expect([list.servers.length, list.rejected[0]!.code]).toEqual([1, 'BAD_ENTRY']);
    expect(() => readHealth(reply([{ ServiceID: 'x', ServicePort: 1 }]), false)).toThrow(
      expect.objectContaining({ code: 'SOURCE_WRONG_TYPE' }) as Error,
    );
  });
});

describe('the service sources', () => {
  it('ask for what the options say', async () => {
    const consul = await FakeConsul.start();
    const options = {
      addresses: [consul.url],
      tags: ['blue', 'a&b'],
      filter: 'Service.Meta.v == 2',
      passing: true,
      cached: true,
      dc: 'east',
    };
    const source = sourceOptions({ type: 'consul_health', path: '/v1/health/service/web', ...options });
    const reader = new ListReader(openSource(source));
    expect((await reader.next()).servers).toEqual([]);
    expect(consul.requests[0]!.url).toBe(
      '/v1/health/service/web?dc=east&tag=blue&tag=a%26b&filter=Service.Meta.v%20%3D%3D%202&passing&cached',
    );
    const service = { Service: { ID: 'a', Port: 80, Address: '10.0.0.1' }, Checks: [] };
    consul.document('/v1/health/service/web', [service]);
    expect(summary(await reader.next())).toEqual(['10.0.0.1:80']);
    // A check's output changed, the list did not.
    consul.document('/v1/health/service/web', [{ ...service, Checks: [{ Status: 'passing', Output: 'x' }] }]);
    expect(await reader.isQuiet(40)).toBe(true);
    await reader.stop();
    await consul.stop();
  });

  it.each([
    [{ type: 'consul_services', passing: true }],
    [{ type: 'consul_health', cached: true, consistency: 'consistent' }],
  ] as const)('refuse %j', (options) => {
    const all = sourceOptions({ path: '/v1/x', addresses: ['http://127.0.0.1:1'], ...options });
    expect(() => openSource(all)).toThrow(expect.objectContaining({ code: 'SOURCE_BAD_OPTIONS' }) as Error);
  });
});
