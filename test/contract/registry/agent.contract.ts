import { describe, expect, it } from 'vitest';
import { get, put, type Running, send, unique } from './subject.ts';

/** Services and maintenance of the agent's own node. */
export function agentContract(running: Running): void {
  const register = async (body: unknown) => put(running(), '/v1/agent/service/register', body);
  const act = async (path: string, body?: unknown) => put(running(), `/v1/agent/${path}`, body);
  const health = async (name: string, query = '') => get(running(), `/v1/health/service/${name}${query}`);
  const checkOf = async (id: string) => (await get(running(), '/v1/agent/checks')).json[id];

  describe('as an agent', () => {
    it('takes a service as Motan registers it, critical until its first heartbeat', async () => {
      const name = unique('motanrpc');
      const id = `10.1.2.3:8002-${name}`;
      const answer = await register({
        ...{ ID: id, Name: name, Tags: ['protocol_motan2', 'URL_motan2%3A%2F%2F10.1.2.3'] },
        ...{ Address: '10.1.2.3', Port: 8002, Check: { TTL: '30s' } },
      });
      expect([answer.status, answer.text]).toEqual([200, '']);
      const { json } = await health(name);
      expect(json[0].Node.Node).toBe(running().node);
      expect(json[0].Service).toMatchObject({
        ...{ ID: id, Service: name, Address: '10.1.2.3', Port: 8002, Weights: { Passing: 1, Warning: 1 } },
        TaggedAddresses: {
          lan_ipv4: { Address: '10.1.2.3', Port: 8002 },
          wan_ipv4: { Address: '10.1.2.3', Port: 8002 },
        },
      });
      expect(json[0].Checks.map((check: { CheckID: string }) => check.CheckID)).toEqual([
        'serfHealth',
        `service:${id}`,
      ]);
      expect(json[0].Checks[1]).toMatchObject({
        Name: `Service '${name}' check`,
        Status: 'critical',
        Type: 'ttl',
      });
      expect((await health(name, '?passing&wait=540s&index=0')).json).toEqual([]);
      expect((await act(`check/pass/service:${id}`)).status).toBe(200);
      expect((await health(name, '?passing')).json).toHaveLength(1);
      await act(`service/deregister/${id}`);
      expect((await health(name)).json).toEqual([]);
    });

    it('shows its services and one of them with a hash of its content', async () => {
      const name = unique('web');
      await register({
        name,
        port: 80,
        address: '::1',
        meta: { a: 'b' },
        weights: { passing: 5, warning: 2 },
      });
      const { json } = await get(running(), '/v1/agent/services');
      const tagged = { lan_ipv6: { Address: '::1', Port: 80 }, wan_ipv6: { Address: '::1', Port: 80 } };
      expect(json[name]).toEqual({
        ...{
          ID: name,
          Service: name,
          Tags: [],
          Meta: { a: 'b' },
          Port: 80,
          Address: '::1',
          TaggedAddresses: tagged,
        },
        ...{
          Weights: { Passing: 5, Warning: 2 },
          EnableTagOverride: false,
          Datacenter: running().datacenter,
        },
      });
      expect(json.consul).toBeUndefined();
      const one = await get(running(), `/v1/agent/service/${name}`);
      expect(one.headers.get('x-consul-contenthash')).toBe(one.json.ContentHash);
      expect(one.json).toMatchObject({ ...json[name] });
      const none = await get(running(), '/v1/agent/service/nope');
      expect([none.status, none.text]).toEqual([404, 'unknown service ID: nope']);
    });

    it('puts a service into maintenance and takes it out', async () => {
      const name = unique('maintained');
      await register({ Name: name });
      expect((await act(`service/maintenance/${name}?enable=true&reason=why`)).status).toBe(200);
      const { json } = await health(name);
      const check = json[0].Checks.find(
        (one: { CheckID: string }) => one.CheckID === `_service_maintenance:${name}`,
      );
      expect(check).toMatchObject({
        Name: 'Service Maintenance Mode',
        Notes: 'why',
        Status: 'critical',
        Type: 'maintenance',
      });
      expect((await health(name, '?passing')).json).toEqual([]);
      await act(`service/maintenance/${name}?enable=true&reason=another`);
      await act(`service/maintenance/${name}?enable=false`);
      expect((await health(name, '?passing')).json).toHaveLength(1);
    });

    it('puts the whole node into maintenance', async () => {
      const name = unique('node');
      await register({ Name: name });
      await act('maintenance?enable=true');
      expect((await health(name, '?passing')).json).toEqual([]);
      const check = await checkOf('_node_maintenance');
      expect(check).toMatchObject({ Name: 'Node Maintenance Mode', ServiceID: '', Type: 'maintenance' });
      expect(check.Notes).toContain('no reason was provided');
      await act('maintenance?enable=false');
      expect((await health(name, '?passing')).json).toHaveLength(1);
    });

    it.each([
      [
        'check/pass/nope',
        404,
        'Unknown check ID "nope". Ensure that the check ID is passed, not the check name.',
      ],
      [
        'check/deregister/nope',
        404,
        'Unknown check ID "nope". Ensure that the check ID is passed, not the check name.',
      ],
      [
        'service/deregister/nope',
        404,
        'Unknown service ID "nope". Ensure that the service ID is passed, not the service name.',
      ],
      [
        'service/maintenance/nope?enable=true',
        404,
        'Unknown service ID "nope". Ensure that the service ID is passed, not the service name.',
      ],
      ['service/maintenance/nope', 400, 'Missing value for enable'],
      ['service/maintenance/nope?enable=x', 400, 'Invalid value for enable: "x"'],
      ['service/maintenance/', 400, 'Missing service ID'],
      ['maintenance', 400, 'Missing value for enable'],
    ])('answers PUT %s with %i', async (path, status, text) => {
      const answer = await act(path);
      expect({ status: answer.status, text: answer.text }).toEqual({ status, text });
    });

    it.each([
      ['service/register', '', 400, 'Request decode failed: EOF'],
      ['service/register', '{', 400, 'Request decode failed: unexpected EOF'],
      ['service/register', '{"ID":"x"}', 400, 'Missing service name'],
      ['service/register', '{"Name":"x","ttl":5}', 400, 'Request decode failed: json: unknown field "ttl"'],
      ['service/register', '{"Name":"x","Address":"0.0.0.0"}', 400, 'Invalid service address'],
      [
        'service/register',
        '{"Name":"x","Check":{"TTL":"abc"}}',
        400,
        'Request decode failed: time: invalid duration "abc"',
      ],
      [
        'service/register',
        '{"Name":"x","Check":{"HTTP":"http://x"}}',
        400,
        'Invalid check: Interval must be > 0 for Script, HTTP, H2PING, TCP, UDP or OSService checks',
      ],
      [
        'service/register',
        '{"Name":"x","Check":{"TTL":"5s","Status":"up"}}',
        400,
        "Status for checks must 'passing', 'warning', 'critical'",
      ],
      [
        'service/register',
        '{"Name":"x","Weights":{"Passing":0}}',
        400,
        'Invalid Weights: Passing must be greater than 0',
      ],
      [
        'service/register',
        '{"Name":"x","Meta":{"a b":"c"}}',
        400,
        "Invalid Service Meta: Couldn't load metadata pair ('a b', 'c'): Key contains invalid characters",
      ],
      [
        'service/register',
        '{"Name":"x","Namespace":""}',
        400,
        'Request decode failed: json: unknown field "Namespace"',
      ],
      [
        'service/register',
        '{"Name":"x","Checks":[{}]}',
        400,
        'Invalid check: TTL must be > 0 for TTL checks',
      ],
      [
        'service/register',
        '{"Name":"x","Check":{"Notes":"x"}}',
        400,
        'Invalid check: TTL must be > 0 for TTL checks',
      ],
      ['check/register', '{"TTL":"10s"}', 400, 'Missing check name'],
      ['check/register', '{"Name":"x"}', 400, 'Invalid check: TTL must be > 0 for TTL checks'],
      ['check/register', '{"Name":"x","TTL":"10s","Status":"up"}', 400, 'Bad check status'],
      [
        'check/register',
        '{"Name":"x","TTL":"10s","ServiceID":"nope"}',
        404,
        'ServiceID "nope" does not exist',
      ],
      ['check/update/x', '{"Status":"up"}', 400, "Invalid check status: 'up'"],
    ])('refuses PUT %s %s with %i', async (path, body, status, text) => {
      const answer = await act(path, body);
      expect({ status: answer.status, text: answer.text }).toEqual({ status, text });
    });

    it.each(['{}', 'null', '{"TTL":"0s","Interval":"0s"}'])(
      'takes a check that says nothing, %s, for none',
      async (check) => {
        const id = unique('nothing');
        expect((await act('service/register', `{"Name":"${id}","Check":${check}}`)).status).toBe(200);
        expect((await get(running(), `/v1/health/checks/${id}`)).json).toEqual([]);
        await act(`service/deregister/${id}`);
      },
    );

    it('refuses a body of the wrong types with 400', async () => {
      for (const body of [
        '[]',
        '"x"',
        '{"Name":"x","Port":"80"}',
        '{"Name":"x","Tags":"a"}',
        '{"Name":5}',
        '{"Name":"x","Check":[]}',
        '{"Name":"x","Meta":{"a":1}}',
      ]) {
        const answer = await register(body);
        expect([body, answer.status]).toEqual([body, 400]);
        expect(answer.text).toMatch(/^Request decode failed: json: cannot unmarshal /);
      }
    });

    it('tells who it is', async () => {
      const { json } = await get(running(), '/v1/agent/self');
      expect(json.Config).toMatchObject({
        Datacenter: running().datacenter,
        NodeName: running().node,
        Server: true,
      });
      expect(json.Config.Version).toMatch(/^\d+\.\d+\.\d+/);
      const members = (await get(running(), '/v1/agent/members')).json as { Name: string; Status: number }[];
      expect(members.map((member) => [member.Name, member.Status])).toContainEqual([running().node, 1]);
    });

    it('refuses to register with POST', async () => {
      expect((await send(running(), 'POST', '/v1/agent/service/register', '{}')).status).toBe(405);
    });
  });
}
