import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readHealthEntry } from '../../src/motan/consul-entry.ts';
import { registrationBody } from '../../src/motan/service.ts';
import { createMotanUrl } from '../../src/motan/url.ts';

const entry = (service: object = {}, checks: object[] = []) => ({
  Node: { Node: 'n1', Address: '10.9.9.9' },
  Service: {
    ID: 'x',
    Service: 'rs',
    Address: '10.0.0.1',
    Port: 6379,
    Tags: [],
    Weights: { Passing: 1, Warning: 1 },
    ...service,
  },
  Checks: checks,
});

describe('readHealthEntry', () => {
  it.each<[string, object, object[], object]>([
    ['as it stands', {}, [], { id: 'n1/x', address: '10.0.0.1:6379', weight: 1, health: 'passing' }],
    ["with the node's address when it has none", { Address: '' }, [], { address: '10.9.9.9:6379' }],
    [
      'with an IPv6 address',
      { Address: '2001:db8::1' },
      [],
      { address: '[2001:db8::1]:6379', host: '2001:db8::1' },
    ],
    ['with the weight of its tag', { Tags: ['weight=20'], Weights: { Passing: 3 } }, [], { weight: 20 }],
    [
      "with Consul's weight for its state",
      { Weights: { Passing: 9, Warning: 4 } },
      [{ Status: 'warning' }],
      { weight: 4, health: 'warning' },
    ],
    [
      'with the worst of its checks',
      {},
      [{ Status: 'passing' }, { Status: 'critical' }, { Status: 'warning' }],
      { health: 'critical' },
    ],
    ['critical in a state nobody knows', {}, [{ Status: 'odd' }], { health: 'critical' }],
    ['without weight while it drains', { Tags: ['drain'] }, [], { weight: 0 }],
    ['withdrawn by its tag', { Tags: ['down'] }, [], { withdrawn: true }],
    [
      'withdrawn by its node',
      {},
      [{ CheckID: '_node_maintenance', Status: 'critical' }],
      { withdrawn: true },
    ],
    [
      'withdrawn by itself',
      {},
      [{ CheckID: '_service_maintenance:x', Status: 'critical' }],
      { withdrawn: true },
    ],
  ])('reads a server %s', (_, service, checks, expected) => {
    expect(readHealthEntry(entry(service, checks), false)).toMatchObject({ ok: true, value: expected });
  });

  it('believes the URL of a Motan provider', () => {
    const { Tags } = registrationBody(createMotanUrl('motan', '10.1.1.1', 8002, 'com.x.Y'));
    expect(readHealthEntry(entry({ Tags }), true)).toMatchObject({
      value: { address: '10.1.1.1:8002', motan: { path: 'com.x.Y' } },
    });
    expect(readHealthEntry(entry({ Tags }), false)).toMatchObject({ value: { address: '10.0.0.1:6379' } });
  });

  it.each<[string, Record<string, string>, object, number]>([
    ['as its metadata says', { META_WEIGHT: '20' }, {}, 20],
    ['10 without any', {}, {}, 10],
    ['10 where the metadata are no number', { META_WEIGHT: 'heavy' }, {}, 10],
    ['1 at least', { META_WEIGHT: '-3' }, {}, 1],
    ['500 at most', { META_WEIGHT: '9999999999' }, {}, 500],
    ['as somebody set it in Consul', {}, { Weights: { Passing: 7 } }, 7],
    [
      'as its metadata say, whatever is set in Consul',
      { META_WEIGHT: '20' },
      { Weights: { Passing: 7 } },
      20,
    ],
  ])('weighs a Motan provider %s', (_, parameters, service, weight) => {
    const { Tags } = registrationBody(createMotanUrl('motan', '10.1.1.1', 8002, 'com.x.Y', parameters));
    expect(readHealthEntry(entry({ Tags, ...service }), true)).toMatchObject({ value: { weight } });
  });

  it('lets the weight tag of a Motan provider win', () => {
    const url = createMotanUrl('motan', '10.1.1.1', 8002, 'com.x.Y', { META_WEIGHT: '20' });
    const Tags = [...registrationBody(url).Tags, 'weight=16'];
    expect(readHealthEntry(entry({ Tags }), true)).toMatchObject({ value: { weight: 16 } });
  });

  it.each<[string, unknown, boolean, string]>([
    ['no entry', 5, false, 'BAD_ENTRY'],
    ['no service', { Node: {} }, false, 'BAD_ENTRY'],
    ['no port', entry({ Port: 0 }), false, 'NO_ADDRESS'],
    ['a host that is none', entry({ Address: 'a b;' }), false, 'NO_ADDRESS'],
    ['a zone in an address', entry({ Address: 'fe80::1%eth0' }), false, 'NO_ADDRESS'],
    ['a broken URL tag', entry({ Tags: ['URL_%zz'] }), true, 'BAD_MOTAN_URL'],
  ])('leaves out an entry with %s', (_, item, isMotan, code) => {
    expect(readHealthEntry(item, isMotan)).toMatchObject({ ok: false, error: { code } });
  });

  it('never throws', () => {
    const junk = fc.oneof(fc.jsonValue(), fc.constant(undefined));
    fc.assert(
      fc.property(junk, junk, junk, junk, fc.boolean(), (node, tags, checks, port, isMotan) => {
        readHealthEntry({ ...entry({ Tags: tags, Port: port }), Node: node, Checks: checks }, isMotan);
      }),
    );
  });
});
