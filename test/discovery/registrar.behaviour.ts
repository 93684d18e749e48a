import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openSource } from '../../src/discovery/open.ts';
import { Registrar, type RegistrarOptions } from '../../src/discovery/registrar.ts';
import { ListReader, summary } from '../helpers/reading-lists.ts';
import { sourceOptions } from '../helpers/source-options.ts';

/** A Consul to register with. */
export interface RegistrarBench {
  readonly url: string;
  stop(): Promise<void>;
}

/** What the registrar does, seen from a source that follows the service. */
export function describeRegistrar(name: string, start: () => Promise<RegistrarBench>): void {
  describe(`the registrar with ${name}`, () => {
    let consul: RegistrarBench;
    let reader: ListReader;
    let registrar: Registrar;
    beforeEach(async () => {
      consul = await start();
      const path = '/v1/health/service/web';
      const options = sourceOptions({ type: 'consul_health', path, addresses: [consul.url], intervalMs: 50 });
      reader = new ListReader(openSource(options));
      await reader.next();
    });
    afterEach(async () => {
      await registrar.close();
      await reader.stop();
      await consul.stop();
    });
    const create = (options: Partial<RegistrarOptions> = {}): Registrar => {
      const base = { agent: consul.url, name: 'web', address: '127.0.0.9', port: 8080, tags: ['blue'] };
      registrar = new Registrar({ ...base, ttlMs: 3000, ...options });
      return registrar;
    };
    const until = async (wanted: string[]): Promise<void> => {
      for (;;) if (summary(await reader.next(10_000)).join() === wanted.join()) return;
    };
    const instance = async (): Promise<{ Service: { Tags: string[] }; Checks: { Status: string }[] }> => {
      const response = await fetch(`${consul.url}/v1/health/service/web`);
      return ((await response.json()) as never[])[0]!;
    };

    it('registers an instance that passes at once, and takes it out again', async () => {
      await create().register();
      await until(['127.0.0.9:8080']);
      expect((await instance()).Service.Tags).toEqual(['blue', 'weight=1']);
      await registrar.close();
      await until([]);
    });

    it('tells weight, drain and maintenance', async () => {
      await create({ weight: 5 }).register();
      await until(['127.0.0.9:8080*5']);
      await registrar.setWeight(9);
      await until(['127.0.0.9:8080*9']);
      await registrar.drain();
      await until(['127.0.0.9:8080*9 drain']);
      await registrar.drain(false);
      await until(['127.0.0.9:8080*9']);
      await registrar.maintenance(true, 'upgrade');
      await until(['127.0.0.9:8080*9 down']);
      await registrar.maintenance(false);
      await until(['127.0.0.9:8080*9']);
    });

    it('beats so that the instance stays in service beyond its TTL', async () => {
      await create({ ttlMs: 1800 }).register();
      await until(['127.0.0.9:8080']);
      expect(await reader.isQuiet(2500)).toBe(true);
      expect((await instance()).Checks.every((check) => check.Status === 'passing')).toBe(true);
    });

    it('registers again when the agent forgot the instance', async () => {
      await create({ ttlMs: 600 }).register();
      await until(['127.0.0.9:8080']);
      await registrar.setWeight(4);
      await until(['127.0.0.9:8080*4']);
      await fetch(`${consul.url}/v1/agent/service/deregister/${registrar.id}`, { method: 'PUT' });
      await until(['127.0.0.9:8080*4']);
    });

    it('drains before it leaves', async () => {
      await create({ drainMs: 300 }).register();
      await until(['127.0.0.9:8080']);
      const closed = registrar.close();
      await until(['127.0.0.9:8080 drain']);
      await closed;
      await until([]);
    });
  });
}
