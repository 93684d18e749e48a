import { describe, expect, it } from 'vitest';
import { parseName } from '../../src/motan/name.ts';
import {
  consulServiceMapping,
  createTopology,
  idcOrder,
  motanGroupMapping,
  templateMapping,
  type TopologyOptions,
} from '../../src/motan/topology.ts';

const THREE: TopologyOptions = {
  local: 'a',
  idcs: [{ name: 'a' }, { name: 'b' }, { name: 'cloud', capacityFactor: 0.8 }],
};
const name = parseName('rs.b.6379');

function order(options: Partial<TopologyOptions>, own: string, times?: Record<string, number>): string[] {
  const roundTrips = times === undefined ? undefined : new Map(Object.entries(times));
  return idcOrder(createTopology({ ...THREE, ...options }), own, roundTrips).map((idc) => idc.name);
}

describe('createTopology', () => {
  it('asks the local agent for the local IDC and its datacenter for every other', () => {
    const { idcs } = createTopology(THREE);
    expect([...idcs.values()].map((idc) => idc.datacenter)).toEqual([undefined, 'b', 'cloud']);
  });

  it.each<[string, Partial<TopologyOptions>]>([
    ['listed twice', { idcs: [{ name: 'a' }, { name: 'a' }] }],
    ['names an IDC twice', { idcs: [{ name: 'a', fallback: ['b', 'b'] }, { name: 'b' }] }],
    ['not among those listed', { local: 'x' }],
    ['one label', { idcs: [{ name: 'a' }, { name: 'b.c' }] }],
    ['capacity factor', { idcs: [{ name: 'a', capacityFactor: 0 }] }],
    ['capacity factor', { idcs: [{ name: 'a', capacityFactor: Number.NaN }] }],
    ['must be a URL', { idcs: [{ name: 'a', registry: '10.1.0.1:8500' }] }],
    ['no other listed IDC', { idcs: [{ name: 'a', fallback: ['z'] }] }],
    ['no other listed IDC', { idcs: [{ name: 'a', fallback: ['a'] }] }],
  ])('refuses a description that is wrong: %s', (why, options) => {
    expect(() => createTopology({ ...THREE, ...options })).toThrow(why);
  });
});

describe('idcOrder', () => {
  it('starts with the IDC of the name and goes on as listed', () => {
    expect(order({}, 'b')).toEqual(['b', 'a', 'cloud']);
  });

  it('follows the fall-back list of the IDC, and only that', () => {
    const idcs = [{ name: 'a', fallback: ['cloud'] }, { name: 'b' }, { name: 'cloud' }];
    expect(order({ idcs }, 'a')).toEqual(['a', 'cloud']);
    expect(order({ idcs }, 'b')).toEqual(['b', 'a', 'cloud']);
  });

  it('orders by round trip when asked, unmeasured ones last', () => {
    expect(order({ order: 'rtt' }, 'a', { a: 0.2, b: 30, cloud: 8 })).toEqual(['a', 'cloud', 'b']);
    expect(order({ order: 'rtt' }, 'a', { cloud: 8 })).toEqual(['a', 'cloud', 'b']);
    expect(order({ order: 'listed' }, 'a', { b: 30, cloud: 8 })).toEqual(['a', 'b', 'cloud']);
  });

  it('names the IDCs it knows when asked for another', () => {
    expect(() => order({}, 'z')).toThrow('known are a, b, cloud');
  });
});

describe('the mappings of names to registry queries', () => {
  const { idcs } = createTopology({
    ...THREE,
    idcs: [...THREE.idcs, { name: 'own', registry: 'http://10.9.0.1:8500' }],
  });
  const a = idcs.get('a')!;
  const b = idcs.get('b')!;

  it('asks for the service in the datacenter, stale reads allowed only across', () => {
    expect(consulServiceMapping(name, a)).toEqual({ service: 'rs', port: 6379, stale: false });
    expect(consulServiceMapping(name, b)).toEqual({
      service: 'rs',
      port: 6379,
      datacenter: 'b',
      stale: true,
    });
    expect(consulServiceMapping(name, idcs.get('own')!)).toEqual({
      service: 'rs',
      port: 6379,
      registry: 'http://10.9.0.1:8500',
      stale: false,
    });
  });

  it('asks for the Motan group in the local Consul', () => {
    expect(motanGroupMapping()(name, b)).toEqual({
      service: 'motanrpc_rs.b',
      group: 'rs.b',
      port: 6379,
      stale: false,
    });
    expect(motanGroupMapping({ path: 'com.x.Y' })(name, b)).toMatchObject({ path: 'com.x.Y' });
  });

  it('fills a template, and filters by port only when the template lacks it', () => {
    expect(templateMapping('{resource}-{idc}-{port}')(name, a)).toEqual({
      service: 'rs-a-6379',
      stale: false,
    });
    expect(templateMapping('redis-{resource}')(name, a)).toEqual({
      service: 'redis-rs',
      port: 6379,
      stale: false,
    });
  });
});
