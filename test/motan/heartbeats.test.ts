import { once } from 'node:events';
import { createServer } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { EmbeddedRegistry } from '../../src/discovery/embedded/registry.ts';
import { consulSources } from '../../src/motan/consul-sources.ts';
import {
  createMotanProviders,
  type MotanProviders,
  type MotanProvidersOptions,
} from '../../src/motan/heartbeats.ts';
import { createMotanUrl, type MotanUrl } from '../../src/motan/url.ts';
import { startEmbeddedRegistry } from '../helpers/embedded-registry.ts';
import { until } from '../helpers/motan-registry.ts';

let registry: EmbeddedRegistry;
const open: MotanProviders[] = [];

beforeEach(async () => {
  registry = await startEmbeddedRegistry();
});

afterEach(async () => {
  await Promise.all(open.splice(0).map((providers) => providers.close()));
  await registry.close();
});

function start(options: Partial<MotanProvidersOptions> = {}): MotanProviders {
  const providers = createMotanProviders({
    http: consulSources({ addresses: [registry.url] }).http(),
    beatMs: 30,
    ...options,
  });
  open.push(providers);
  return providers;
}

const url = (group: string, port = 8002): MotanUrl =>
  createMotanUrl('motan', '127.0.0.1', port, 'com.x.Y', { group, nodeType: 'service', version: '1.0' });

/** Service id → status of its check. */
async function statuses(group: string): Promise<Record<string, string>> {
  const reply = await fetch(`${registry.url}/v1/health/service/motanrpc_${group}`);
  const entries = (await reply.json()) as {
    Service: { ID: string };
    Checks: { CheckID: string; Status: string }[];
  }[];
  return Object.fromEntries(
    entries.map(({ Service, Checks }) => [
      Service.ID,
      Checks.find(({ CheckID }) => CheckID !== 'serfHealth')!.Status,
    ]),
  );
}

async function untilStatus(group: string, expected: Record<string, string>): Promise<void> {
  let last: Record<string, string> = {};
  const test = async () => JSON.stringify((last = await statuses(group))) === JSON.stringify(expected);
  for (let tries = 0; tries < 100; tries++) {
    if (await test()) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  expect(last).toEqual(expected);
}

describe('a Motan provider', () => {
  it('is critical until the gate opens, passes at once, and fails once when the gate closes', async () => {
    const providers = start({ beatMs: 60_000 });
    await providers.register(url('rs.a'));
    expect(await statuses('rs.a')).toEqual({ '127.0.0.1:8002-com.x.Y': 'critical' });
    await providers.setOpen(true);
    expect(await statuses('rs.a')).toEqual({ '127.0.0.1:8002-com.x.Y': 'passing' });
    await providers.setOpen(false);
    expect(await statuses('rs.a')).toEqual({ '127.0.0.1:8002-com.x.Y': 'critical' });
  });

  it('that registers while the gate is open passes at once', async () => {
    const providers = start({ isOpen: true, beatMs: 60_000 });
    await providers.register(url('rs.a'));
    expect(await statuses('rs.a')).toEqual({ '127.0.0.1:8002-com.x.Y': 'passing' });
  });

  it('is registered again when the agent has forgotten it', async () => {
    const providers = start({ isOpen: true });
    await providers.register(url('rs.a'));
    await fetch(`${registry.url}/v1/agent/service/deregister/127.0.0.1:8002-com.x.Y`, { method: 'PUT' });
    await untilStatus('rs.a', { '127.0.0.1:8002-com.x.Y': 'passing' });
  });

  it.each([404, 500])('is registered again when its pass is answered %i', async (status) => {
    const calls: string[] = [];
    let isKnown = true;
    const server = createServer((request, response) => {
      const call = request.url!.split('/').slice(3, 5).join(' ');
      calls.push(call);
      if (call === 'service register') isKnown = true;
      response.writeHead(call === 'check pass' && !isKnown ? status : 200).end();
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    const http = consulSources({ addresses: [`http://127.0.0.1:${port}`] }).http();
    const providers = start({ http, isOpen: true, beatMs: 20 });
    await providers.register(url('rs.a'));
    isKnown = false;
    calls.length = 0;
    await until(() => calls.includes('service register'));
    await until(() => calls.at(-1) === 'check pass');
    expect(calls.slice(0, calls.indexOf('service register') + 2).slice(-3)).toEqual([
      'check pass',
      'service register',
      'check pass',
    ]);
    // Closed: one fail, then silence.
    await providers.setOpen(false);
    const count = calls.length;
    expect(calls.at(-1)).toBe('check fail');
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(calls).toHaveLength(count);
    await providers.close();
    server.close();
  });

  it('goes on trying while the registry is away', async () => {
    const address = registry.url;
    await registry.close();
    const providers = start({ http: consulSources({ addresses: [address] }).http(), isOpen: true });
    const registering = providers.register(url('rs.a'));
    await until(() => providers.status()[0]!.error !== undefined);
    registry = await startEmbeddedRegistry({ listen: new URL(address).host });
    await registering;
    await untilStatus('rs.a', { '127.0.0.1:8002-com.x.Y': 'passing' });
    expect(providers.status()).toMatchObject([{ isRegistered: true, error: undefined }]);
  });

  it('is gone after it was unregistered, and after closing', async () => {
    const providers = start({ isOpen: true });
    await Promise.all([providers.register(url('rs.a', 1)), providers.register(url('rs.a', 2))]);
    await providers.unregister(url('rs.a', 1));
    expect(Object.keys(await statuses('rs.a'))).toEqual(['127.0.0.1:2-com.x.Y']);
    await providers.close();
    expect(await statuses('rs.a')).toEqual({});
    expect(providers.status()).toEqual([]);
  });

  it('in two groups never overwrites itself', async () => {
    const providers = start({ isOpen: true });
    await providers.register(url('rs.a'));
    await providers.register(url('rs.b'));
    expect(await statuses('rs.a')).toEqual({ '127.0.0.1:8002-com.x.Y': 'passing' });
    expect(await statuses('rs.b')).toEqual({ '127.0.0.1:8002-com.x.Y@motan-rs.b': 'passing' });
  });

  it('that the registry refuses for good is given up, with the reason', async () => {
    let asked = 0;
    const server = createServer((_, response) => {
      asked++;
      response.writeHead(403).end('Permission denied');
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    const providers = start({
      http: consulSources({ addresses: [`http://127.0.0.1:${port}`] }).http(),
      beatMs: 5,
    });
    await expect(providers.register(url('rs.a'))).rejects.toMatchObject({ code: 'REGISTER_REFUSED' });
    expect(providers.status()).toEqual([]);
    expect(asked).toBe(1);
    server.close();
  });

  it('that has no port or no interface is refused at once, and not tried again', async () => {
    const providers = start();
    for (const odd of [url('rs.a', 0), createMotanUrl('motan', '127.0.0.1', 8002, '')])
      await expect(providers.register(odd)).rejects.toMatchObject({ code: 'BAD_MOTAN_URL' });
    expect(providers.status()).toEqual([]);
  });

  it('registered twice is one', async () => {
    const providers = start();
    await Promise.all([providers.register(url('rs.a')), providers.register(url('rs.a'))]);
    expect(providers.status()).toHaveLength(1);
  });

  it('says that it was taken back when it is closed before the registry answers', async () => {
    const providers = start({ http: consulSources({ addresses: ['http://127.0.0.1:1'] }).http() });
    const registering = providers.register(url('rs.a'));
    await until(() => providers.status()[0]!.error !== undefined);
    void providers.close();
    await expect(registering).rejects.toMatchObject({ code: 'REGISTER_ENDED' });
  });
});
