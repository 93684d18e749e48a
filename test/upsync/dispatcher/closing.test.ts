import { request } from 'undici';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { createServer } from '../../../src/upstream/server.ts';
import { UpsyncDispatcher } from '../../../src/upsync/dispatcher/upsync-dispatcher.ts';
import { type Backend, startBackend } from '../../helpers/backend.ts';

let first: Backend;
let second: Backend;

beforeEach(async () => {
  [first, second] = await Promise.all([startBackend(), startBackend()]);
});
afterEach(() => Promise.all([first.close(), second.close()]));

function dispatcherOf(...backends: readonly Backend[]): UpsyncDispatcher {
  const servers = backends.map(({ address }) => createServer(address));
  const dispatcher = new UpsyncDispatcher({ upstream: 'api', servers, balancer: { seed: 0 } });
  onTestFinished(() => dispatcher.destroy());
  return dispatcher;
}

/** Makes `backend` hold its answers; resolves with what lets one go, once one is asked for. */
function held(backend: Backend): Promise<{ answer: () => void; drop: () => void }> {
  return new Promise((resolve) => {
    backend.handler = (incoming, response) =>
      resolve({ answer: () => response.end('late'), drop: () => incoming.socket.destroy() });
  });
}

function get(dispatcher: UpsyncDispatcher): Promise<string> {
  return request('http://api/', { dispatcher }).then(({ body }) => body.text());
}

describe('close()', () => {
  it('waits for a request that goes on to another server meanwhile, and leaves no connection open', async () => {
    const dispatcher = dispatcherOf(first, second);
    const [atFirst, atSecond] = [held(first), held(second)];
    const asked = get(dispatcher);
    const one = await atFirst;
    let closed = false;
    const closing = dispatcher.close().then(() => (closed = true));
    one.drop();
    const two = await atSecond;
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(closed).toBe(false);
    two.answer();
    expect(await asked).toBe('late');
    await closing;
  });
});

describe('destroy()', () => {
  it('ends requests at once that close() waits for', async () => {
    const dispatcher = dispatcherOf(first);
    const atFirst = held(first);
    const asked = get(dispatcher);
    await atFirst;
    const closing = dispatcher.close();
    const failing = expect(asked).rejects.toMatchObject({ code: 'UND_ERR_DESTROYED' });
    await dispatcher.destroy();
    await failing;
    await closing;
  });

  it('ends requests at servers that left the list, too', async () => {
    const dispatcher = dispatcherOf(first);
    const atFirst = held(first);
    const asked = get(dispatcher);
    await atFirst;
    const servers = [createServer(second.address)];
    const origin = { kind: 'registry', source: 'test', at: 0 } as const;
    await dispatcher.apply({ upstream: 'api', version: 1, servers, origin });
    const failing = expect(asked).rejects.toMatchObject({ code: 'UND_ERR_DESTROYED' });
    await dispatcher.destroy();
    await failing;
  });

  it('asks no further server, whatever error it was given', async () => {
    const dispatcher = dispatcherOf(first, second);
    const atFirst = held(first);
    const asked = get(dispatcher);
    await atFirst;
    const failing = expect(asked).rejects.toThrow('enough');
    await dispatcher.destroy(Object.assign(new Error('enough'), { code: 'ECONNRESET' }));
    await failing;
    expect(second.requests).toBe(0);
  });
});
