import { ask, type Context } from '../context.ts';
import { decodeDeregistration, decodeRegistration } from '../decode-catalog.ts';
import { compileFilter } from '../filter.ts';
import { badRequest } from '../http/errors.ts';
import { readOptions } from '../http/query.ts';
import { queryHeaders, type Reply } from '../http/reply.ts';
import type { Call, Route } from '../http/router.ts';
import { NODES, nodeTopic, NODE_EXTINCTION, SERVICES, serviceTopic } from '../store/catalog.ts';
import { catalogServiceView, serviceView, SHAPES } from '../views.ts';

const MAX_BODY_BYTES = 1_048_576;

/** `/v1/catalog/…`: the write side and the views without health. */
export function catalogRoutes(context: Context): Route[] {
  const { catalog, indexes } = context.store;
  const { datacenter } = context.identity;
  const get = (path: string, handle: Route['handle']): Route => ({ path, methods: ['GET'], handle });
  const put = (path: string, handle: Route['handle']): Route => ({ path, methods: ['PUT'], handle });
  return [
    put('/v1/catalog/register', async (call) => {
      const registration = decodeRegistration(await text(call), context.identity, catalog);
      catalog.register(registration);
      return { json: true };
    }),
    put('/v1/catalog/deregister', async (call) => {
      const gone = decodeDeregistration(await text(call), datacenter);
      indexes.write(() => {
        if (gone.service) catalog.deleteService(gone.node, gone.service);
        else if (gone.check) catalog.deleteCheck(gone.node, gone.check);
        else catalog.deleteNode(gone.node);
      });
      return { json: true };
    }),
    get('/v1/catalog/datacenters', () => ({ json: [datacenter] })),
    get('/v1/catalog/nodes', (call) => nodes(context, call)),
    get('/v1/catalog/services', (call) => services(context, call)),
    get('/v1/catalog/service/', (call) => service(context, call)),
    get('/v1/catalog/node/', (call) => node(context, call, false)),
    get('/v1/catalog/node-services/', (call) => node(context, call, true)),
  ];
}

async function text(call: Call): Promise<string> {
  return (await call.body(MAX_BODY_BYTES)).toString('utf8');
}

async function nodes(context: Context, call: Call): Promise<Reply | undefined> {
  const { catalog, indexes } = context.store;
  const options = readOptions(call.query, context.identity.datacenter);
  const filter = compileFilter(options.filter, SHAPES.node);
  const meta = metaFilter(call.query);
  const found = await ask(context, call, options, [NODES], () => ({ index: indexes.of(NODES) }));
  if (!found) return undefined;
  const json = catalog.nodes().filter((node) => meta(node.Meta) && filter(node));
  return { headers: queryHeaders(found.index, options.consistency), json };
}

async function services(context: Context, call: Call): Promise<Reply | undefined> {
  const { catalog, indexes } = context.store;
  const options = readOptions(call.query, context.identity.datacenter);
  const filter = compileFilter(options.filter, SHAPES.catalogService);
  const meta = metaFilter(call.query);
  const found = await ask(context, call, options, [SERVICES], () => ({ index: indexes.of(SERVICES) }));
  if (!found) return undefined;
  const tags = new Map<string, Set<string>>();
  for (const service of catalog.services()) {
    const node = catalog.node(service.Node)!;
    if (!meta(node.Meta) || !filter(catalogServiceView(node, service))) continue;
    const known = tags.get(service.Service) ?? new Set();
    for (const tag of service.Tags ?? []) known.add(tag);
    tags.set(service.Service, known);
  }
  const sorted = [...tags].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, known]) => [name, [...known]]);
  return {
    headers: queryHeaders(found.index, options.consistency),
    json: Object.fromEntries(sorted) as unknown,
  };
}

async function service(context: Context, call: Call): Promise<Reply | undefined> {
  const { catalog } = context.store;
  const options = readOptions(call.query, context.identity.datacenter);
  const filter = compileFilter(options.filter, SHAPES.catalogService);
  const name = call.rest;
  if (name === '') throw badRequest('Missing service name');
  const found = await ask(context, call, options, [serviceTopic(name)], () => ({
    index: catalog.serviceIndex(name, false),
  }));
  if (!found) return undefined;
  const tags = call.query.getAll('tag');
  const meta = metaFilter(call.query);
  const json = catalog
    .instances(name)
    .filter((instance) => hasTags(instance.Tags, tags))
    .map((instance) => catalogServiceView(catalog.node(instance.Node)!, instance))
    .filter((view) => meta(view.NodeMeta) && filter(view));
  const cache: Record<string, string> = options.isCached ? { 'X-Cache': 'MISS' } : {};
  return { headers: { ...queryHeaders(found.index, options.consistency), ...cache }, json };
}

async function node(context: Context, call: Call, asList: boolean): Promise<Reply | undefined> {
  const { catalog, indexes } = context.store;
  const options = readOptions(call.query, context.identity.datacenter);
  const filter = compileFilter(options.filter, SHAPES.agentService);
  const name = call.rest;
  if (name === '') throw badRequest('Missing node name');
  const found = await ask(context, call, options, [nodeTopic(name)], () => {
    const isMissing = catalog.node(name) === undefined;
    return { isMissing, index: indexes.of(isMissing ? NODE_EXTINCTION : nodeTopic(name)) };
  });
  if (!found) return undefined;
  const headers = queryHeaders(found.index, options.consistency);
  const record = catalog.node(name);
  if (!record) return { headers, json: null };
  const views = catalog.servicesOfNode(name).map(serviceView).filter(filter);
  const all = asList ? views : Object.fromEntries(views.map((view) => [view.ID, view]));
  return { headers, json: { Node: record, Services: all } };
}

/** True when an instance has every one of these tags, compared without regard to case. */
export function hasTags(own: readonly string[] | null, wanted: readonly string[]): boolean {
  const folded = (own ?? []).map((tag) => tag.toLowerCase());
  return wanted.every((tag) => folded.includes(tag.toLowerCase()));
}

/** The test of `node-meta=key:value`, given any number of times. */
export function metaFilter(
  query: URLSearchParams,
): (meta: Readonly<Record<string, string>> | null) => boolean {
  const pairs = query.getAll('node-meta').map((pair) => {
    const colon = pair.indexOf(':');
    return colon === -1 ? [pair, ''] : [pair.slice(0, colon), pair.slice(colon + 1)];
  });
  return (meta) => pairs.every(([key, value]) => meta !== null && meta[key!] === value);
}
