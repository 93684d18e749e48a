import { createHash } from 'node:crypto';
import type { Context } from '../context.ts';
import { decodeAgentCheck, decodeAgentService, decodeCheckUpdate } from '../decode-agent.ts';
import { compileFilter } from '../filter.ts';
import { badRequest, HttpError } from '../http/errors.ts';
import { readOptions, toBoolean } from '../http/query.ts';
import { DONE, type Reply } from '../http/reply.ts';
import type { Call, Route } from '../http/router.ts';
import { VERSION } from '../identity.ts';
import { agentServiceView, checkView, SHAPES } from '../views.ts';

const MAX_BODY_BYTES = 1_048_576;

/** `/v1/agent/…`: services, checks and maintenance of the registry's own node. */
export function agentRoutes(context: Context): Route[] {
  const { agent } = context;
  const get = (path: string, handle: Route['handle']): Route => ({ path, methods: ['GET'], handle });
  const put = (path: string, act: (call: Call) => void | Promise<void>): Route => ({
    path,
    methods: ['PUT'],
    handle: async (call) => {
      await act(call);
      return DONE;
    },
  });
  const beat = (verb: string, status: string): Route =>
    put(`/v1/agent/check/${verb}/`, (call) =>
      agent.updateTtl(call.rest, status, call.query.get('note') ?? ''),
    );
  return [
    get('/v1/agent/self', () => self(context)),
    get('/v1/agent/version', () => ({ json: { SHA: '', BuildDate: '', HumanVersion: VERSION, FIPS: '' } })),
    get('/v1/agent/members', () => ({ json: [member(context)] })),
    get('/v1/agent/services', (call) => services(context, call)),
    get('/v1/agent/service/', (call) => service(context, call)),
    get('/v1/agent/checks', (call) => checks(context, call)),
    put('/v1/agent/service/register', async (call) => {
      const given = call.query.get('replace-existing-checks');
      agent.registerService(decodeAgentService(await text(call)), given === '' || given === 'true');
    }),
    put('/v1/agent/service/deregister/', (call) => agent.deregisterService(call.rest)),
    put('/v1/agent/service/maintenance/', (call) => {
      if (call.rest === '') throw badRequest('Missing service ID');
      agent.setServiceMaintenance(call.rest, isEnabled(call), call.query.get('reason') ?? '');
    }),
    put('/v1/agent/maintenance', (call) =>
      agent.setNodeMaintenance(isEnabled(call), call.query.get('reason') ?? ''),
    ),
    put('/v1/agent/check/register', async (call) => agent.registerCheck(decodeAgentCheck(await text(call)))),
    put('/v1/agent/check/deregister/', (call) => agent.deregisterCheck(call.rest)),
    put('/v1/agent/check/update/', async (call) => {
      const { output, status } = decodeCheckUpdate(await text(call));
      agent.updateTtl(call.rest, status, output);
    }),
    beat('pass', 'passing'),
    beat('warn', 'warning'),
    beat('fail', 'critical'),
  ];
}

async function text(call: Call): Promise<string> {
  return (await call.body(MAX_BODY_BYTES)).toString('utf8');
}

function isEnabled(call: Call): boolean {
  const value = call.query.get('enable');
  if (value === null) throw badRequest('Missing value for enable');
  const enable = toBoolean(value);
  if (enable === undefined) throw badRequest(`Invalid value for enable: ${JSON.stringify(value)}`);
  return enable;
}

function services(context: Context, call: Call): Reply {
  const filter = compileFilter(call.query.get('filter') ?? '', SHAPES.agentService);
  const views = context.agent
    .services()
    .map((service) => agentServiceView(service, context.identity.datacenter))
    .filter(filter);
  return { json: Object.fromEntries(views.map((view) => [view.ID, view])) };
}

// Consul blocks here on a hash of the content instead of an index. This answers at once, with the hash.
function service(context: Context, call: Call): Reply {
  readOptions(call.query, context.identity.datacenter);
  const found = context.agent.service(call.rest);
  if (!found) throw new HttpError(404, `unknown service ID: ${call.rest}`);
  const { Datacenter, ...view } = agentServiceView(found, context.identity.datacenter);
  const hash = createHash('sha256').update(JSON.stringify(view)).digest('hex').slice(0, 16);
  return { headers: { 'X-Consul-Contenthash': hash }, json: { ...view, ContentHash: hash, Datacenter } };
}

function checks(context: Context, call: Call): Reply {
  const filter = compileFilter(call.query.get('filter') ?? '', SHAPES.check);
  const views = context.agent
    .checks()
    .map((check) => ({ ...checkView(check), CreateIndex: 0, ModifyIndex: 0 }))
    .filter(filter);
  return { json: Object.fromEntries(views.map((view) => [view.CheckID, view])) };
}

function self(context: Context): Reply {
  const { datacenter, node, nodeId } = context.identity;
  return {
    json: {
      Config: {
        Datacenter: datacenter,
        PrimaryDatacenter: datacenter,
        NodeName: node,
        NodeID: nodeId,
        Revision: '',
        Server: true,
        Version: VERSION,
        BuildDate: '1970-01-01T00:00:01Z',
      },
      DebugConfig: { Datacenter: datacenter, NodeName: node, DevMode: true, ServerMode: true },
      Coord: null,
      Member: member(context),
      Stats: { agent: {}, consul: { leader: 'true', server: 'true' } },
      Meta: { 'consul-network-segment': '', 'consul-version': VERSION },
    },
  };
}

function member(context: Context) {
  const { address, datacenter, node, nodeId, port } = context.identity;
  return {
    Name: node,
    Addr: address,
    Port: port,
    Tags: { build: VERSION, dc: datacenter, id: nodeId, port: String(port), role: 'consul' },
    Status: 1,
    ...{ ProtocolMin: 1, ProtocolMax: 5, ProtocolCur: 2, DelegateMin: 2, DelegateMax: 5, DelegateCur: 4 },
  };
}
