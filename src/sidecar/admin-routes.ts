import { Hono } from 'hono';
import { streamSSE } from 'hono/streaming';
import type { Snapshot } from '../upstream/snapshot.ts';
import { showAnswer, shown } from '../upsync/show.ts';
import { isTrustedHost } from './admin-host.ts';
import type { EngineStatus } from './engine-status.ts';
import type { Metrics } from './metrics.ts';
import { PAGE_HTML, PAGE_STYLE } from './page.ts';
import { PAGE_SCRIPT } from './page-script.ts';

/** What the admin API tells about. */
export interface AdminContext {
  readonly status: () => EngineStatus;
  readonly changes: (signal: AbortSignal) => AsyncIterable<Snapshot>;
  readonly metrics: Metrics;
  /** The host the API listens on. */
  readonly listenHost: string;
  /** Ends open event streams. */
  readonly signal: AbortSignal;
}

/** Event streams open at the same time; more are asked to come back. */
const MAX_STREAMS = 64;
/** A comment in every stream, so that proxies keep it open and a reader that is gone is noticed. Milliseconds. */
const HEARTBEAT_MS = 15_000;

const HEADERS: Readonly<Record<string, string>> = {
  'cache-control': 'no-store',
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
};

/** The routes of the admin API. It reads only: there is nothing to write. */
export function createAdminApp(context: AdminContext): Hono {
  const app = new Hono();
  app.use(async (c, next) => {
    if (!isTrustedHost(c.req.header('host'), context.listenHost))
      return c.text('this host name is not one of the admin API: use its address', 421, HEADERS);
    if (c.req.method !== 'GET' && c.req.method !== 'HEAD')
      return c.text('the admin API only reads', 405, { ...HEADERS, allow: 'GET, HEAD' });
    await next();
    for (const [name, value] of Object.entries(HEADERS)) c.res.headers.set(name, value);
    return undefined;
  });
  app.get('/healthz', (c) => c.text('ok\n'));
  app.get('/readyz', (c) => {
    const waiting = context
      .status()
      .upstreams.filter((one) => one.origin.kind === 'static' && !one.ready)
      .map((one) => one.name);
    return c.json({ ready: waiting.length === 0, waiting }, waiting.length === 0 ? 200 : 503);
  });
  app.get('/metrics', async (c) => {
    const { body, type } = await context.metrics.text();
    return c.body(body, 200, { 'content-type': type });
  });
  app.get('/status', (c) => c.json(context.status()));
  app.get('/upstreams', (c) => c.json(context.status().upstreams));
  app.get('/upstreams/:name', (c) => {
    const name = c.req.param('name');
    const found = context.status().upstreams.find((one) => one.name === name);
    return found ? c.json(found) : c.json({ error: `there is no upstream "${name}"` }, 404);
  });
  app.get('/names', (c) => {
    const { names } = context.status();
    return names ? c.json(names) : c.json({ error: 'nothing is served from names here' }, 404);
  });
  app.get('/names/:name', (c) => {
    const name = c.req.param('name');
    const found = context.status().names?.names.find((one) => one.name === name);
    return found ? c.json(found) : c.json({ error: `"${name}" is not watched here now` }, 404);
  });
  app.get('/upstream_show', (c) => {
    const query = new URL(c.req.url).search.slice(1);
    const lists = context.status().upstreams.map((one) => shown(one.name, one.servers));
    return c.text(showAnswer(lists, query));
  });
  let streams = 0;
  app.get('/events', (c) => {
    if (streams >= MAX_STREAMS) return c.text('too many event streams', 503, { 'retry-after': '5' });
    return streamSSE(c, async (stream) => {
      streams++;
      const stop = new AbortController();
      const end = (): void => stop.abort();
      context.signal.addEventListener('abort', end, { once: true });
      stream.onAbort(end);
      if (context.signal.aborted) end();
      const heartbeat = setInterval(() => void stream.write(': still here\n\n').catch(end), HEARTBEAT_MS);
      try {
        await stream.write(': upsync\n\n');
        for await (const { upstream, version, servers, origin } of context.changes(stop.signal))
          await stream.writeSSE({
            event: 'list',
            id: `${upstream}/${version}`,
            data: JSON.stringify({ upstream, version, servers, origin }),
          });
      } finally {
        streams--;
        clearInterval(heartbeat);
        context.signal.removeEventListener('abort', end);
      }
    });
  });
  app.get('/', (c) => c.html(PAGE_HTML));
  app.get('/page.js', (c) => c.body(PAGE_SCRIPT, 200, { 'content-type': 'text/javascript; charset=utf-8' }));
  app.get('/page.css', (c) => c.body(PAGE_STYLE, 200, { 'content-type': 'text/css; charset=utf-8' }));
  return app;
}
