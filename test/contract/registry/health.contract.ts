import { describe, expect, it } from 'vitest';
import { get, put, type Running, unique } from './subject.ts';

const CHECK_MEMBERS = [
  ...[
    'Node',
    'CheckID',
    'Name',
    'Status',
    'Notes',
    'Output',
    'ServiceID',
    'ServiceName',
    'ServiceTags',
    'Type',
  ],
  ...['Interval', 'Timeout', 'ExposedPort', 'Definition', 'CreateIndex', 'ModifyIndex'],
];
const NODE_MEMBERS = [
  'ID',
  'Node',
  'Address',
  'Datacenter',
  'TaggedAddresses',
  'Meta',
  'CreateIndex',
  'ModifyIndex',
];
const SERVICE_MEMBERS = [
  ...['ID', 'Service', 'Tags', 'Address', 'Meta', 'Port', 'Weights', 'EnableTagOverride', 'Proxy', 'Connect'],
  ...['PeerName', 'CreateIndex', 'ModifyIndex'],
];

/** Instances with their checks. */
export function healthContract(running: Running): void {
  // Three instances: passing, warning, critical by their own check.
  const three = async () => {
    const name = unique('web');
    for (const [at, status] of ['passing', 'warning', 'critical'].entries())
      await put(running(), '/v1/catalog/register', {
        ...{ Node: `${name}-node-${at}`, Address: `10.0.0.${at + 1}` },
        Service: { ID: status, Service: name, Port: 8000 + at, Tags: [`v${at}`], Meta: { at: String(at) } },
        Check: { CheckID: `${name}-${at}`, Name: 'probe', ServiceID: status, Status: status },
      });
    return name;
  };
  const ids = async (path: string) =>
    (await get(running(), path)).json.map((one: { Service: { ID: string } }) => one.Service.ID);

  describe('for health', () => {
    it('shows node, service and checks with every member Consul has, in its order', async () => {
      const name = await three();
      const { json } = await get(running(), `/v1/health/service/${name}`);
      expect(Object.keys(json[0])).toEqual(['Node', 'Service', 'Checks']);
      expect(Object.keys(json[0].Node)).toEqual(NODE_MEMBERS);
      expect(Object.keys(json[0].Service)).toEqual(SERVICE_MEMBERS);
      expect(Object.keys(json[0].Checks[0])).toEqual(CHECK_MEMBERS);
      expect(json[0].Checks[0]).toMatchObject({
        ...{
          CheckID: `${name}-0`,
          ServiceName: name,
          ServiceTags: ['v0'],
          Status: 'passing',
          ExposedPort: 0,
        },
        Definition: {},
      });
    });

    it('gives every instance, or only those with all checks passing', async () => {
      const name = await three();
      expect(await ids(`/v1/health/service/${name}`)).toEqual(['passing', 'warning', 'critical']);
      for (const passing of ['passing', 'passing=1', 'passing=true', 'passing='])
        expect(await ids(`/v1/health/service/${name}?${passing}`)).toEqual(['passing']);
      expect(await ids(`/v1/health/service/${name}?passing=false`)).toHaveLength(3);
    });

    it("counts the node's own checks for each of its instances, before the instance's own", async () => {
      const name = await three();
      await put(running(), '/v1/catalog/register', {
        ...{ Node: `${name}-node-0`, Address: '10.0.0.1' },
        Check: { CheckID: 'zz-host', Name: 'host', Status: 'critical' },
      });
      const { json } = await get(running(), `/v1/health/service/${name}`);
      expect(json[0].Checks.map((check: { CheckID: string }) => check.CheckID)).toEqual([
        'zz-host',
        `${name}-0`,
      ]);
      expect(await ids(`/v1/health/service/${name}?passing`)).toEqual([]);
    });

    it.each([
      ['Service.Port == 8001', ['warning']],
      ['Service.Port != 8001', ['passing', 'critical']],
      ['"v0" in Service.Tags or v2 in Service.Tags', ['passing', 'critical']],
      ['Service.Tags contains v1', ['warning']],
      ['v1 not in Service.Tags', ['passing', 'critical']],
      ['not (Service.ID == passing)', ['warning', 'critical']],
      ['Service.Meta.at == "2"', ['critical']],
      ['Service.Meta["at"] == `1`', ['warning']],
      ['Service.Meta.other == "1"', []],
      ['at in Service.Meta and Service.ID != "warning"', ['passing', 'critical']],
      ['Service.Meta is empty', []],
      ['Service.Tags is not empty and Node.Address == "10.0.0.3"', ['critical']],
      ['Checks.Status == critical', ['critical']],
      ['Service.Address == ""', ['passing', 'warning', 'critical']],
      ['Service.ID contains "ing"', ['passing', 'warning']],
      ['Service.EnableTagOverride == false', ['passing', 'warning', 'critical']],
    ])('selects with filter=%s', async (filter, expected) => {
      const name = await three();
      expect(await ids(`/v1/health/service/${name}?filter=${encodeURIComponent(filter)}`)).toEqual(expected);
    });

    it.each([
      'Nope == 1',
      'Service.Nope == 1',
      'Service.Port ==',
      '(Service.Port == 1',
      'Service.Port',
      '==',
    ])('refuses filter=%s with 500 and says that it is no expression', async (filter) => {
      const answer = await get(running(), `/v1/health/service/x?filter=${encodeURIComponent(filter)}`);
      expect(answer.status).toBe(500);
      expect(answer.text).toMatch(/^Failed to create boolean expression evaluator: /);
    });

    it('lists checks of a service, of a node and in a state', async () => {
      const name = await three();
      const checks = async (path: string) =>
        (await get(running(), path)).json.map((check: { CheckID: string }) => check.CheckID);
      expect(await checks(`/v1/health/checks/${name}`)).toEqual([`${name}-0`, `${name}-1`, `${name}-2`]);
      expect(await checks(`/v1/health/node/${name}-node-1`)).toEqual([`${name}-1`]);
      const mine = `filter=${encodeURIComponent(`ServiceName == "${name}"`)}`;
      expect(await checks(`/v1/health/state/warning?${mine}`)).toEqual([`${name}-1`]);
      expect(await checks(`/v1/health/state/any?${mine}`)).toHaveLength(3);
      expect(await checks('/v1/health/state/nonsense')).toEqual([]);
    });

    it('answers [] for what is unknown, with an index', async () => {
      for (const path of ['service', 'node', 'checks']) {
        const answer = await get(running(), `/v1/health/${path}/${unique('none')}`);
        expect([answer.status, answer.text]).toEqual([200, '[]']);
        expect(answer.index).toBeGreaterThan(0);
      }
    });

    it.each([
      ['/v1/health/service/', 'Missing service name'],
      ['/v1/health/node/', 'Missing node name'],
      ['/v1/health/checks/', 'Missing service name'],
      ['/v1/health/state/', 'Missing check state'],
      ['/v1/catalog/service/', 'Missing service name'],
      ['/v1/catalog/node/', 'Missing node name'],
      ['/v1/health/service/x?passing=maybe', 'Invalid value for ?passing'],
    ])('refuses %s with 400', async (path, text) => {
      const answer = await get(running(), path);
      expect([answer.status, answer.text]).toEqual([400, text]);
    });

    it('says that a cached read came from its cache layer', async () => {
      const name = await three();
      const answer = await get(running(), `/v1/health/service/${name}?cached`);
      expect(answer.headers.get('x-cache')).toBe('MISS');
      expect(answer.headers.get('x-consul-query-backend')).toBe('streaming');
      expect(answer.json).toHaveLength(3);
    });
  });
}
