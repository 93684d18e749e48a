import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import { Registrar } from '../../src/discovery/registrar.ts';
import { type ConsulOptions, locateConsul, NO_CONSUL, startConsul } from '../helpers/consul.ts';
import { recordingLogger } from '../helpers/recording-logger.ts';
import { scratchFolder } from '../helpers/scratch-folder.ts';

interface Instance {
  readonly Service: { readonly Tags: readonly string[] };
  readonly Checks: readonly { readonly CheckID: string; readonly Status: string }[];
}

if ((await locateConsul()) === undefined) it(`has nothing to prove here: ${NO_CONSUL}`, () => undefined);
else
  it('registers again with the agent that comes back without its state, weight and maintenance included', async () => {
    const dataDir = path.join(scratchFolder(), 'consul');
    const start = async (options: ConsulOptions) => {
      await mkdir(dataDir);
      const consul = await startConsul({ dev: false, dataDir, ...options });
      onTestFinished(() => consul.stop());
      return consul;
    };
    const first = await start({});
    const instances = async (): Promise<Instance[]> => {
      const response = await fetch(`${first.url}/v1/health/service/web`);
      expect(response.status).toBe(200);
      return (await response.json()) as Instance[];
    };
    const logger = recordingLogger();
    const count = (event: string): number => logger.events().filter((name) => name === event).length;
    const options = { agent: first.url, name: 'web', address: '127.0.0.9', port: 8080, ttlMs: 1500, logger };
    const registrar = new Registrar(options);
    onTestFinished(() => registrar.close());
    await registrar.register();
    await registrar.setWeight(7);
    await registrar.maintenance(true, 'upgrade');
    await vi.waitFor(async () => expect(await instances()).toHaveLength(1), { timeout: 10_000 });

    await first.stop();
    await rm(dataDir, { recursive: true });
    // Nobody answers for as long as a few beats take.
    await vi.waitFor(() => expect(count('beat_failed')).toBeGreaterThan(1), { timeout: 10_000 });
    await start({ port: first.port });

    await vi.waitFor(
      async () => {
        const [instance] = await instances();
        expect(instance?.Service.Tags).toEqual(['weight=7']);
        const statuses = Object.fromEntries(instance!.Checks.map((check) => [check.CheckID, check.Status]));
        expect(statuses).toMatchObject({
          'service:web-127.0.0.9-8080': 'passing',
          '_service_maintenance:web-127.0.0.9-8080': 'critical',
        });
      },
      { timeout: 20_000, interval: 100 },
    );
    expect(count('registration_lost')).toBeGreaterThan(0);
    await registrar.close();
    await vi.waitFor(async () => expect(await instances()).toEqual([]), { timeout: 10_000 });
  });
