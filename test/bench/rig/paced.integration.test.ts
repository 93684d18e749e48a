import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { failures, paced } from '../../../bench/rig/paced.ts';

let server: Server | undefined;

async function listen(listener: RequestListener): Promise<number> {
  server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as { port: number }).port;
}

afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

const answer: RequestListener = (_, response) => response.setHeader('Content-Length', 2).end('ok');

describe('the paced client', () => {
  it('sends every request that is due, over keepalive connections and over new ones', async () => {
    const port = await listen(answer);
    const { keepalive, short, late } = await paced({
      port,
      keepaliveRate: 200,
      shortRate: 100,
      seconds: 0.5,
      connections: 4,
    });
    expect(keepalive).toMatchObject({ sent: 100, ok: 100, errors: {}, dropped: 0, opened: 4 });
    expect(short).toMatchObject({ sent: 50, ok: 50, errors: {}, opened: 50 });
    expect([keepalive.microseconds.length, short.microseconds.length, late.length]).toEqual([100, 50, 150]);
  });

  it('counts a stall for every request that was due in it', async () => {
    let asked = 0;
    const port = await listen((request, response) => {
      asked += 1;
      setTimeout(() => answer(request, response), asked === 10 ? 200 : 0);
    });
    const { keepalive } = await paced({ port, keepaliveRate: 200, seconds: 0.5, connections: 1 });
    expect(keepalive).toMatchObject({ sent: 100, ok: 100 });
    expect(keepalive.microseconds.filter((took) => took > 50_000).length).toBeGreaterThan(20);
  });

  it('tells failures by kind', async () => {
    let asked = 0;
    const port = await listen((request, response) => {
      asked += 1;
      if (asked % 3 === 0) response.writeHead(503, { 'Content-Length': 0 }).end();
      else if (asked % 3 === 1) request.socket.destroy();
      else answer(request, response);
    });
    const { short } = await paced({ port, shortRate: 120, seconds: 0.5 });
    expect(short).toMatchObject({ sent: 60, ok: 20, errors: { 'status 503': 20, closed: 20 } });
    expect(failures(short)).toBe(40);
  });

  it('counts the connections that the server closes, and opens others', async () => {
    const port = await listen((request, response) => {
      response.setHeader('Connection', 'close');
      answer(request, response);
    });
    const { keepalive } = await paced({ port, keepaliveRate: 100, seconds: 0.5, connections: 4 });
    expect(keepalive).toMatchObject({ sent: 50, ok: 50, errors: {}, dropped: 50 });
    expect(keepalive.opened).toBeGreaterThanOrEqual(50);
  });

  it('reports what nobody answers', async () => {
    const port = await listen(answer);
    server!.close();
    await once(server!, 'close');
    const { keepalive, short } = await paced({
      port,
      keepaliveRate: 20,
      shortRate: 20,
      seconds: 0.2,
      connections: 1,
      patience: 0.2,
    });
    expect(short).toMatchObject({ sent: 4, ok: 0, errors: { ECONNREFUSED: 4 } });
    expect(keepalive).toMatchObject({ sent: 4, ok: 0, errors: { unanswered: 4 }, dropped: 0 });
  });
});
