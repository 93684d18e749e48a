import { request } from 'undici';
import { afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import type { EmbeddedRegistry } from '../../src/discovery/embedded/registry.ts';
import { createUpstream } from '../../src/upsync/upstream.ts';
import { type Backend, startBackend } from '../helpers/backend.ts';
import { startEmbeddedRegistry } from '../helpers/embedded-registry.ts';
import { buildPackage, runExample } from '../helpers/example.ts';
import { freePort } from '../helpers/ports.ts';

let registry: EmbeddedRegistry;
let backends: Backend[];

beforeAll(buildPackage);
beforeEach(async () => {
  registry = await startEmbeddedRegistry();
  backends = await Promise.all([startBackend(), startBackend()]);
  for (const { address } of backends)
    await fetch(`${registry.url}/v1/kv/upstreams/backend/${address}`, { method: 'PUT', body: '{}' });
});
afterEach(async () => {
  await Promise.all([registry.close(), ...backends.map((backend) => backend.close())]);
});

describe('examples/fetch.mjs', () => {
  it('calls every server of the upstream and ends', async () => {
    const example = runExample('fetch.mjs', { REGISTRY: new URL(registry.url).host });
    expect([await example.exit, example.output()]).toEqual([0, expect.stringMatching('following 2 servers')]);
    for (const { address } of backends) expect(example.output().split(`200 ${address}`)).toHaveLength(4);
  });
});

describe('examples/gateway.mjs', () => {
  it('passes requests on, and finishes them before it ends', async () => {
    const port = await freePort();
    const env = { REGISTRY: new URL(registry.url).host, PORT: String(port) };
    const example = runExample('gateway.mjs', env);
    await example.prints(/listening/);
    const get = (path: string) => fetch(`http://127.0.0.1:${port}${path}`);
    await vi.waitFor(async () => expect(await (await get('/servers')).json()).toHaveLength(2));
    const answers = [await (await get('/')).text(), await (await get('/')).text()];
    expect(new Set(answers)).toEqual(new Set(backends.map(({ address }) => address)));

    let answer: (() => void) | undefined;
    for (const backend of backends)
      backend.handler = (_incoming, response) => (answer = () => response.end('late'));
    const late = get('/late').then((response) => response.text());
    await vi.waitFor(() => expect(answer).toBeDefined());
    process.kill(example.pid, 'SIGTERM');
    setTimeout(() => answer!(), 100);
    expect([await late, await example.exit]).toEqual(['late', 0]);
  });
});

describe('examples/register.mjs', () => {
  it('is found while it is there, and no request fails while it leaves', async () => {
    const host = new URL(registry.url).host;
    const [stays, leaves] = [0, 1].map(() => runExample('register.mjs', { REGISTRY: registry.url }));
    const hello = createUpstream({
      name: 'hello',
      source: `${host}/v1/health/service/hello upsync_type=consul_health upsync_interval=50ms`,
    });
    onTestFinished(() => hello.close());
    const [, port] = await leaves!.prints(/hello-127\.0\.0\.1-(\d+) is registered/);
    const leaving = `127.0.0.1:${port}`;
    await stays!.prints(/is registered/);
    const until = async (wanted: (addresses: readonly string[], drained: boolean) => boolean) => {
      const bound = AbortSignal.timeout(10_000);
      for await (const { servers } of hello.snapshots(bound)) {
        const drained = servers.some(({ address, drain }) => drain && address === leaving);
        if (
          wanted(
            servers.map(({ address }) => address),
            drained,
          )
        )
          return servers;
      }
      throw new Error('the list wanted did not come');
    };
    const both = await until((addresses) => addresses.length === 2);
    expect(both.map(({ weight }) => weight)).toEqual([2, 2]);

    const counts = { ok: 0, failed: 0 };
    let ended = false;
    const ask = async (path: string): Promise<void> => {
      try {
        const { statusCode, body } = await request(`http://hello${path}`, { dispatcher: hello.dispatcher });
        await body.dump();
        counts[statusCode === 200 ? 'ok' : 'failed'] += 1;
      } catch {
        counts.failed += 1;
      }
    };
    const clients = ['/', '/', '/slow', '/slow'].map(async (path) => {
      while (!ended) await ask(path);
    });
    // A request that is answered only after the drain has begun.
    const slow = fetch(`http://${leaving}/slow`).then((response) => response.text());
    process.kill(leaves!.pid, 'SIGTERM');
    await until((_addresses, drained) => drained);
    await until((addresses) => !addresses.includes(leaving));
    expect(await slow).toBe('hello\n');
    expect([await leaves!.exit, leaves!.output()]).toEqual([0, expect.stringMatching(/draining\ngone\n$/)]);
    ended = true;
    await Promise.all(clients);
    expect(counts).toEqual({ ok: expect.any(Number), failed: 0 });
    expect(counts.ok).toBeGreaterThan(20);
  });
});
