import { describe, expect, it } from 'vitest';
import { get, put, type Running, unique } from './subject.ts';

const SERVICE_MEMBERS = [
  ...[
    'ID',
    'Node',
    'Address',
    'Datacenter',
    'TaggedAddresses',
    'NodeMeta',
    'ServiceKind',
    'ServiceID',
    'ServiceName',
  ],
  ...['ServiceTags', 'ServiceAddress', 'ServiceWeights', 'ServiceMeta', 'ServicePort', 'ServiceSocketPath'],
  ...[
    'ServiceEnableTagOverride',
    'ServiceProxy',
    'ServiceConnect',
    'ServiceLocality',
    'CreateIndex',
    'ModifyIndex',
  ],
];

/** Registration in the catalog and the views without health. */
export function catalogContract(running: Running): void {
  const register = async (body: unknown) => put(running(), '/v1/catalog/register', body);
  const deregister = async (body: unknown) => put(running(), '/v1/catalog/deregister', body);

  describe('as a catalog', () => {
    it('shows a registered instance with every member Consul has, in its order', async () => {
      const [node, name] = [unique('node'), unique('web')];
      const answer = await register({
        ...{ Node: node, Address: '10.0.0.1', NodeMeta: { rack: '7' } },
        Service: { ID: `${name}-1`, Service: name, Port: 80, Tags: ['weight=3'], Meta: { a: 'b' } },
      });
      expect([answer.status, answer.text]).toEqual([200, 'true']);
      const { json } = await get(running(), `/v1/catalog/service/${name}`);
      expect(Object.keys(json[0])).toEqual(SERVICE_MEMBERS);
      expect(json[0]).toMatchObject({
        ...{
          ID: '',
          Node: node,
          Address: '10.0.0.1',
          Datacenter: running().datacenter,
          NodeMeta: { rack: '7' },
        },
        ...{ ServiceID: `${name}-1`, ServiceName: name, ServiceTags: ['weight=3'], ServiceAddress: '' },
        ...{ ServiceWeights: { Passing: 1, Warning: 1 }, ServiceMeta: { a: 'b' }, ServicePort: 80 },
        ...{ TaggedAddresses: null, ServiceLocality: null, ServiceConnect: {} },
      });
    });

    it('takes members in any case and fills in what is left out', async () => {
      const [node, name] = [unique('node'), unique('web')];
      await register({ node, address: '10.0.0.1', service: { service: name } });
      const { json } = await get(running(), `/v1/catalog/service/${name}`);
      expect(json[0]).toMatchObject({
        ServiceID: name,
        ServiceTags: [],
        ServicePort: 0,
        ServiceMeta: {},
        NodeMeta: null,
      });
    });

    it('keeps CreateIndex, raises ModifyIndex only on a change', async () => {
      const [node, name] = [unique('node'), unique('web')];
      const read = async () => (await get(running(), `/v1/catalog/service/${name}`)).json[0];
      const body = { Node: node, Address: '10.0.0.1', Service: { Service: name, Port: 80 } };
      await register(body);
      const first = await read();
      await register(body);
      expect(await read()).toEqual(first);
      await register({ ...body, Service: { ...body.Service, Port: 81 } });
      const second = await read();
      expect(second.CreateIndex).toBe(first.CreateIndex);
      expect(second.ModifyIndex).toBeGreaterThan(first.ModifyIndex);
    });

    it('lists instances by node, then by id, and selects by every tag given', async () => {
      const name = unique('web');
      const [a, b] = [unique('node-a'), unique('node-b')];
      for (const [node, id, tags] of [
        [b, 'y', ['v1']],
        [a, 'z', ['v1', 'Blue']],
        [a, 'x', ['v2']],
      ] as const)
        await register({
          Node: node,
          Address: '10.0.0.1',
          Service: { ID: `${name}-${id}`, Service: name, Tags: tags },
        });
      const ids = async (query: string) =>
        (await get(running(), `/v1/catalog/service/${name}${query}`)).json.map((one: { ServiceID: string }) =>
          one.ServiceID.slice(name.length + 1),
        );
      expect(await ids('')).toEqual(['x', 'z', 'y']);
      expect(await ids('?tag=v1')).toEqual(['z', 'y']);
      expect(await ids('?tag=v1&tag=blue')).toEqual(['z']);
      expect(await ids(`?filter=${encodeURIComponent('"v2" in ServiceTags')}`)).toEqual(['x']);
    });

    it('finds services and nodes whatever the case of the name', async () => {
      const [node, name] = [unique('Node'), unique('Web')];
      await register({ Node: node, Address: '10.0.0.1', Service: { Service: name } });
      expect((await get(running(), `/v1/catalog/service/${name.toUpperCase()}`)).json).toHaveLength(1);
      expect((await get(running(), `/v1/catalog/node/${node.toUpperCase()}`)).json.Node.Node).toBe(node);
    });

    it('shows a node with its services by id', async () => {
      const [node, name] = [unique('node'), unique('web')];
      await register({ Node: node, Address: '10.0.0.1', Service: { ID: 'one', Service: name, Port: 80 } });
      const { json } = await get(running(), `/v1/catalog/node/${node}`);
      expect(json.Node).toMatchObject({ Node: node, Address: '10.0.0.1', Meta: null });
      expect(json.Services.one).toMatchObject({
        ID: 'one',
        Service: name,
        Port: 80,
        Meta: null,
        PeerName: '',
      });
      const list = await get(running(), `/v1/catalog/node-services/${node}`);
      expect(list.json.Services[0]).toEqual(json.Services.one);
    });

    it('answers null for an unknown node and [] for an unknown service', async () => {
      expect((await get(running(), `/v1/catalog/node/${unique('none')}`)).text).toBe('null');
      expect((await get(running(), `/v1/catalog/service/${unique('none')}`)).text).toBe('[]');
    });

    it('lists its own node and the service named consul', async () => {
      const nodes = (await get(running(), '/v1/catalog/nodes')).json as { Node: string }[];
      expect(nodes.map((one) => one.Node)).toContain(running().node);
      expect((await get(running(), '/v1/catalog/services')).json).toMatchObject({ consul: [] });
      expect((await get(running(), '/v1/health/service/consul?passing')).json).toHaveLength(1);
    });

    it('removes an instance with its checks, a check, or a whole node', async () => {
      const [node, name] = [unique('node'), unique('web')];
      await register({
        ...{ Node: node, Address: '10.0.0.1', Service: { ID: 'one', Service: name } },
        Checks: [
          { CheckID: 'own', Name: 'own', ServiceID: 'one', Status: 'passing' },
          { CheckID: 'host', Name: 'host', Status: 'passing' },
          { CheckID: 'extra', Name: 'extra', Status: 'passing' },
        ],
      });
      const checks = async () =>
        (await get(running(), `/v1/health/node/${node}`)).json.map(
          (check: { CheckID: string }) => check.CheckID,
        );
      expect(await checks()).toEqual(['extra', 'host', 'own']);
      await deregister({ Node: node, CheckID: 'extra' });
      expect(await checks()).toEqual(['host', 'own']);
      await deregister({ Node: node, ServiceID: 'one' });
      expect(await checks()).toEqual(['host']);
      expect((await get(running(), `/v1/catalog/service/${name}`)).json).toEqual([]);
      await deregister({ Node: node });
      expect((await get(running(), `/v1/catalog/node/${node}`)).json).toBeNull();
      expect((await deregister({ Node: node })).text).toBe('true');
    });

    it('leaves a node as it is when told to skip it', async () => {
      const [node, name] = [unique('node'), unique('web')];
      await register({ Node: node, Address: '10.0.0.1' });
      await register({ Node: node, SkipNodeUpdate: true, Service: { Service: name } });
      expect((await get(running(), `/v1/catalog/service/${name}`)).json[0].Address).toBe('10.0.0.1');
    });

    it.each([
      ['{}', 500, 'Must provide node'],
      ['{"Node":"n"}', 500, 'Must provide address if SkipNodeUpdate is not set'],
      ['{"Node":"n","Address":"a","ID":"x"}', 500, 'Bad node ID: uuid string is wrong length'],
      ['{"Node":"n","Address":"a","Datacenter":"nowhere"}', 500, 'No path to datacenter'],
      ['{"Node":"n","Address":"a","Nope":1}', 400, 'Request decode failed: json: unknown field "Nope"'],
      [
        '{"Node":"n","Address":"a","Service":{"ID":"x"}}',
        500,
        'Must provide service name (Service.Service) when service ID is provided',
      ],
      [
        '{"Node":"n","Address":"a","Service":{"Service":"s","Address":"0.0.0.0"}}',
        500,
        'Invalid service address',
      ],
      [
        '{"Node":"nobody","Address":"a","Check":{"Name":"x","ServiceID":"nope"}}',
        500,
        "Unknown service ID 'nope' for check ID 'x'",
      ],
      ['{"Node":"n","Address":"a","PeerName":"p"}', 500, 'cannot register requests with PeerName in them'],
      [
        '{"Node":"n","Address":"a","Partition":"p"}',
        400,
        'Request decode failed: json: unknown field "Partition"',
      ],
      ['', 400, 'Request decode failed: EOF'],
      ['{', 400, 'Request decode failed: unexpected EOF'],
    ])('refuses to register %s with %i', async (body, status, text) => {
      const answer = await register(body);
      expect({ status: answer.status, text: answer.text }).toEqual({ status, text });
    });

    it('refuses to deregister nothing', async () => {
      const answer = await deregister({});
      expect([answer.status, answer.text]).toEqual([500, 'Must provide node']);
    });
  });
}
