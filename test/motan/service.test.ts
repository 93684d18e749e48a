import { describe, expect, it } from 'vitest';
import { commandKeyOf, groupOf, readProviderUrl, registrationBody } from '../../src/motan/service.ts';
import { createMotanUrl } from '../../src/motan/url.ts';

const URL = createMotanUrl('motan2', '10.1.2.3', 8002, 'com.weibo.demo.UserService', {
  serialization: 'simple',
  codec: 'motan',
  filter: '',
  application: 'my app',
  nodeType: 'service',
  version: '1.0',
  refreshTimestamp: '1700000000000',
  export: 'motan2:8002',
  group: 'rs.a',
});

describe('registrationBody', () => {
  it('is byte for byte what Motan sends', () => {
    expect(JSON.stringify(registrationBody(URL))).toBe(
      '{"ID":"10.1.2.3:8002-com.weibo.demo.UserService","Name":"motanrpc_rs.a",' +
        '"Tags":["protocol_motan2","URL_motan2%3A%2F%2F10.1.2.3%3A8002%2Fcom.weibo.demo.UserService%3F' +
        'serialization%3Dsimple%26filter%3D%26application%3Dmy%2Bapp%26nodeType%3Dservice%26version%3D1.0%26' +
        'export%3Dmotan2%253A8002%26group%3Drs.a%26"],' +
        '"Address":"10.1.2.3","Port":8002,"Check":{"TTL":"30s"}}',
    );
  });

  it('refuses what no consumer could reach', () => {
    expect(() => registrationBody(createMotanUrl('motan', '', 0, 'p'))).toThrow('host, a port');
  });
});

describe('readProviderUrl', () => {
  const entry = { id: '10.0.0.9:1-com.x.Y-Z', name: 'motanrpc_rs.a', address: '10.0.0.9', port: 1 };

  it('believes the tag, not the entry', () => {
    const url = readProviderUrl({ ...entry, tags: registrationBody(URL).Tags });
    expect(url).toMatchObject({ protocol: 'motan2', host: '10.1.2.3', port: 8002 });
    expect(url.parameters.get('application')).toBe('my app');
  });

  it('takes an entry without a URL tag apart', () => {
    expect(readProviderUrl({ ...entry, tags: ['protocol_motan'] })).toEqual(
      createMotanUrl('motan', '10.0.0.9', 1, 'com.x.Y-Z', { group: 'rs.a', nodeType: 'service' }),
    );
  });

  it('refuses an entry without an address', () => {
    expect(() => readProviderUrl({ ...entry, address: '', tags: [] })).toThrow('no usable address');
  });
});

describe('the names in Consul', () => {
  it('are made from the group', () => {
    expect(commandKeyOf('rs.a')).toBe('motan/command/motanrpc_rs.a');
    expect([groupOf('motanrpc_rs.a'), groupOf('other')]).toEqual(['rs.a', 'other']);
  });
});
