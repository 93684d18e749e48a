import { createServer as createHttpServer, type RequestListener, type Server } from 'node:http';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SILENT } from '../../../src/upstream/logger.ts';
import { createServer } from '../../../src/upstream/server.ts';
import { NginxControl } from '../../../src/upsync/nginx/control.ts';
import { createNginxWorkersTarget } from '../../../src/upsync/targets/nginx-workers.ts';

const WORKER = { id: 0, pid: 7, generation: 5, bad: {} };
const COMMON = { boot: 'b', cycle: 1, lists: 5, before: 4, generation: 5, capacity: 100, free: 50 };

describe('the client of the control socket', () => {
  let folder: string;
  let socketPath: string;
  let server: Server | undefined;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'upsync-control-'));
    socketPath = join(folder, 'c.sock');
  });
  afterEach(async () => {
    server?.closeAllConnections();
    await new Promise((resolve) => (server ? server.close(resolve) : resolve(undefined)));
    server = undefined;
    rmSync(folder, { recursive: true });
  });

  const serve = async (listener: RequestListener) => {
    server = createHttpServer(listener).listen(socketPath);
    await new Promise((resolve) => server!.once('listening', resolve));
  };
  const answer = (status: number, body: unknown): RequestListener => {
    return (request, response) => {
      request.resume();
      response.writeHead(status).end(typeof body === 'string' ? body : JSON.stringify(body));
    };
  };

  it.each([
    ['that is no JSON', answer(200, '<html>'), 'TARGET_ANSWER'],
    ['of another kind', answer(200, {}), 'TARGET_ANSWER'],
    [
      'that refuses',
      answer(400, { error: { code: 'BAD_LISTS', message: 'line 3 is wrong' } }),
      'TARGET_REFUSED',
    ],
    ['that never comes', () => undefined, 'TARGET_TIMEOUT'],
    ['that is cut off', (_, response) => response.destroy(), 'TARGET_UNREACHABLE'],
  ])('names an answer %s', async (_what, listener, code) => {
    await serve(listener);
    const control = new NginxControl({ socketPath, timeoutMs: 200 });
    await expect(control.put([])).rejects.toMatchObject({ code });
    await expect(control.state()).rejects.toMatchObject({ code });
    await control.close();
  });

  it('keeps its connection for the next change, and asks again on another one when that was closed under it', async () => {
    let cut = false;
    await serve((request, response) => {
      if (cut) request.socket.destroy();
      else answer(200, { ...COMMON, workers: [WORKER], upstreams: {}, failed: {} })(request, response);
      cut = false;
    });
    let connections = 0;
    server!.on('connection', () => (connections += 1));
    const control = new NginxControl({ socketPath });
    for (let change = 0; change < 8; change++) await control.put([]);
    // The next one may come before the pool has taken the first connection back.
    expect(connections).toBeLessThanOrEqual(2);
    cut = true;
    expect(await control.put([])).toMatchObject({ boot: 'b' });
    expect(cut).toBe(false);
    await control.close();
  });

  it('says when nginx is not there, and when it was not waited for', async () => {
    const control = new NginxControl({ socketPath });
    await expect(control.workers()).rejects.toMatchObject({ code: 'TARGET_UNREACHABLE' });
    await serve(() => undefined);
    await expect(control.workers(AbortSignal.timeout(20))).rejects.toMatchObject({ code: 'TARGET_CLOSED' });
    await control.close();
  });

  const snapshot = (upstream: string, version: number) => ({
    upstream,
    version,
    servers: [createServer('10.0.0.1:80')],
    origin: { kind: 'static', source: 'test', at: 0 } as const,
  });

  it('reports a worker that lags without the version, and one that could not use the list too', async () => {
    await serve(
      answer(200, {
        ...COMMON,
        workers: [
          WORKER,
          { ...WORKER, pid: 8, generation: 4 },
          { ...WORKER, pid: 9, bad: { a: 3 } },
          { ...WORKER, pid: 10, bad: { a: 2 } },
          { ...WORKER, pid: 0, generation: 0 },
        ],
        upstreams: { a: { version: 3, generation: 5, changed: true } },
        failed: {},
      }),
    );
    const target = createNginxWorkersTarget({ socketPath, logger: SILENT });
    expect((await target.apply(snapshot('a', 12))).workers).toEqual([
      { pid: 7, version: 12 },
      { pid: 8, version: undefined },
      { pid: 9, version: undefined },
      { pid: 10, version: 12 },
    ]);
    await target.close();
  });

  it('fails when no worker can use the list, or nginx refuses it', async () => {
    await serve(
      answer(507, {
        ...COMMON,
        workers: [{ ...WORKER, bad: { a: 3 } }],
        upstreams: { a: { version: 3, generation: 5, changed: true } },
        failed: { b: { code: 'DICTIONARY_FULL', message: 'the list needs 9 bytes' } },
      }),
    );
    const target = createNginxWorkersTarget({ socketPath, logger: SILENT });
    await expect(target.apply(snapshot('a', 1))).rejects.toMatchObject({ code: 'TARGET_WORKERS_FAILED' });
    await expect(target.apply(snapshot('b', 1))).rejects.toMatchObject({ code: 'TARGET_DICTIONARY_FULL' });
    await expect(target.apply(snapshot('c', 1))).rejects.toMatchObject({ code: 'TARGET_ANSWER' });
    expect(await target.applyMany([])).toEqual([]);
    await target.close();
  });
});
