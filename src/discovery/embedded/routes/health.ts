import { ask, type Context } from '../context.ts';
import { compileFilter } from '../filter.ts';
import { badRequest } from '../http/errors.ts';
import { readOptions, toBoolean } from '../http/query.ts';
import { queryHeaders, type Reply } from '../http/reply.ts';
import type { Call, Route } from '../http/router.ts';
import { CHECKS, serviceTopic } from '../store/catalog.ts';
import type { CheckRecord } from '../store/records.ts';
import { checkView, healthView, SHAPES } from '../views.ts';
import { hasTags, metaFilter } from './catalog.ts';

/** `/v1/health/…`: instances with their checks, and the checks themselves. */
export function healthRoutes(context: Context): Route[] {
  const { catalog } = context.store;
  const get = (path: string, handle: Route['handle']): Route => ({ path, methods: ['GET'], handle });
  return [
    get('/v1/health/service/', (call) => service(context, call)),
    get('/v1/health/node/', (call) =>
      checks(context, call, 'Missing node name', (name) => catalog.checksOfNode(name)),
    ),
    get('/v1/health/checks/', (call) =>
      checks(context, call, 'Missing service name', (name) =>
        catalog.checks().filter((check) => check.ServiceName.toLowerCase() === name.toLowerCase()),
      ),
    ),
    get('/v1/health/state/', (call) =>
      checks(context, call, 'Missing check state', (state) =>
        catalog.checks().filter((check) => state === 'any' || check.Status === state),
      ),
    ),
  ];
}

async function service(context: Context, call: Call): Promise<Reply | undefined> {
  const { catalog } = context.store;
  const options = readOptions(call.query, context.identity.datacenter);
  const filter = compileFilter(options.filter, SHAPES.health);
  const name = call.rest;
  if (name === '') throw badRequest('Missing service name');
  const passing = call.query.has('passing') ? toBoolean(call.query.get('passing') || 'true') : false;
  if (passing === undefined) throw badRequest('Invalid value for ?passing');
  const found = await ask(context, call, options, [serviceTopic(name)], () => ({
    index: catalog.serviceIndex(name, true),
  }));
  if (!found) return undefined;
  const tags = call.query.getAll('tag');
  const meta = metaFilter(call.query);
  const json = catalog
    .instances(name)
    .filter((instance) => hasTags(instance.Tags, tags))
    .map((instance) => healthView(catalog, instance))
    .filter(
      (view) =>
        (!passing || view.Checks.every((check) => check.Status === 'passing')) &&
        meta(view.Node.Meta) &&
        filter(view),
    );
  // Consul answers these from its streaming engine; clients can see that in one header.
  const isStreamed = options.minIndex > 0 || options.isCached;
  const headers = queryHeaders(found.index, options.consistency, isStreamed ? 'streaming' : 'blocking-query');
  return { headers: options.isCached ? { ...headers, 'X-Cache': 'MISS' } : headers, json };
}

async function checks(
  context: Context,
  call: Call,
  missing: string,
  select: (name: string) => CheckRecord[],
): Promise<Reply | undefined> {
  const { catalog, indexes } = context.store;
  const options = readOptions(call.query, context.identity.datacenter);
  const filter = compileFilter(options.filter, SHAPES.check);
  if (call.rest === '') throw badRequest(missing);
  const found = await ask(context, call, options, [CHECKS], () => ({ index: indexes.of(CHECKS) }));
  if (!found) return undefined;
  const meta = metaFilter(call.query);
  const json = select(call.rest)
    .filter((check) => meta(catalog.node(check.Node)?.Meta ?? null))
    .map(checkView)
    .filter(filter);
  return { headers: queryHeaders(found.index, options.consistency), json };
}
