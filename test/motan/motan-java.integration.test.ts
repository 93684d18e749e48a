import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { consulSources } from '../../src/motan/consul-sources.ts';
import { createMotanProviders } from '../../src/motan/heartbeats.ts';
import { createMotanRegistry } from '../../src/motan/motan-registry.ts';
import type { Resolution } from '../../src/motan/resolution.ts';
import { registrationBody } from '../../src/motan/service.ts';
import { createMotanUrl, parseMotanUrl } from '../../src/motan/url.ts';
import { locateConsul, startConsul } from '../helpers/consul.ts';
import { startEmbeddedRegistry } from '../helpers/embedded-registry.ts';
import { until } from '../helpers/motan-registry.ts';
import { buildJavaPeer, hasJavaAndMaven, startJava } from '../helpers/motan-java.ts';
import { freePort } from '../helpers/ports.ts';

interface Registry {
  readonly url: string;
  stop(): Promise<void>;
}

const registries: Record<string, () => Promise<Registry>> = {
  'the embedded registry': async () => {
    const registry = await startEmbeddedRegistry();
    return { url: registry.url, stop: () => registry.close() };
  },
};
if ((await locateConsul()) !== undefined) registries['a real Consul'] = () => startConsul();

if (!hasJavaAndMaven())
  describe('a real Motan', () => {
    it('cannot be run on this machine', () => {
      expect(hasJavaAndMaven()).toBe(false);
    });
  });
else
  describe.each(Object.entries(registries))('a real Motan with %s', (_, startRegistry) => {
    const children: ChildProcess[] = [];
    let registry: Registry;
    let classPath: string;

    beforeAll(async () => {
      classPath = await buildJavaPeer();
      registry = await startRegistry();
    });

    afterEach(async () => {
      await Promise.all(children.splice(0).map((child) => ended(child)));
    });

    afterAll(() => registry.stop());

    const java = (
      main: string,
      ...args: string[]
    ): { readonly output: () => string; readonly child: ChildProcess } => {
      const child = startJava(classPath, main, args);
      children.push(child);
      let text = '';
      for (const stream of [child.stdout!, child.stderr!])
        stream.on('data', (chunk: Buffer) => (text += String(chunk)));
      return { output: () => text, child };
    };
    const address = (): string => new URL(registry.url).host;

    it('server is found by ours, and registered byte for byte as ours would be', async () => {
      const port = await freePort();
      const server = java('HelloServer', String(port), 'rs.a', address());
      const groups = createMotanRegistry({
        ...consulSources({ addresses: [registry.url] }),
        localIp: '127.0.0.1',
        hold: { emptyGraceMs: 100 },
      });
      let last: Resolution | undefined;
      groups.subscribe(
        parseMotanUrl('motan://127.0.0.1:0/upsync.Hello?group=rs.a'),
        (resolution) => (last = resolution),
      );
      await waitFor(
        () => last?.servers.some(({ health, share }) => health === 'passing' && share === 1) === true,
        server.output,
      );
      const [found] = last!.servers;
      // Motan never registers a loopback address when it has another one.
      expect(found!.port).toBe(port);
      expect(found!.motan!.parameters.get('application')).toBe('upsync peer');
      expect(found!.motan!.parameters.get('export')).toBe(`motan:${port}`);
      const reply = await fetch(`${registry.url}/v1/agent/services`);
      const services = Object.values(
        (await reply.json()) as Record<string, { ID: string; Tags: string[]; Service: string }>,
      );
      const { ID, Name, Tags } = registrationBody(found!.motan!);
      expect(services.find((service) => service.ID === ID)).toMatchObject({ Service: Name, Tags });
      await groups.close();
    });

    it('client finds a provider registered by ours, calls it, and follows a command to another group', async () => {
      const ports = [await freePort(), await freePort()];
      const servers = ports.map((port) => java('HelloServer', String(port), 'own', 'local'));
      const providers = createMotanProviders({
        http: consulSources({ addresses: [registry.url] }).http(),
        isOpen: true,
      });
      for (const [at, group] of ['hello.a', 'hello.b'].entries())
        await providers.register(
          createMotanUrl('motan', '127.0.0.1', ports[at]!, 'upsync.Hello', {
            group,
            nodeType: 'service',
            version: '1.0',
          }),
        );
      for (const server of servers) await waitFor(() => server.output().includes('serving'), server.output);
      const first = java('HelloClient', 'hello.a', address());
      await waitFor(() => first.child.exitCode !== null, first.output);
      expect(first.output()).toContain(`answer: hello upsync from ${ports[0]}`);
      await fetch(`${registry.url}/v1/kv/motan/command/motanrpc_hello.a`, {
        method: 'PUT',
        body: JSON.stringify({ clientCommandList: [{ pattern: 'upsync.*', mergeGroups: ['hello.b'] }] }),
      });
      const second = java('HelloClient', 'hello.a', address());
      await waitFor(() => second.child.exitCode !== null, second.output);
      expect(second.output()).toContain(`answer: hello upsync from ${ports[1]}`);
      await providers.close();
    });
  });

async function waitFor(test: () => boolean, output: () => string): Promise<void> {
  for (let tries = 0; tries < 4; tries++)
    try {
      return await until(test);
    } catch {
      // Java starts slowly on a busy machine.
    }
  expect(output()).toBe('(nothing: it should have been ready)');
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  child.kill('SIGKILL');
  await exit;
}
