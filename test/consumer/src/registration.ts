import { Registrar } from 'upsync/discovery';

/** Registers an instance with a TTL check and raises its weight; `close()` drains and takes it out again. */
export async function registration(agent: string, port: number): Promise<Registrar> {
  const registrar = new Registrar({
    agent,
    name: 'users',
    address: '127.0.0.1',
    port,
    weight: 2,
    ttlMs: 15_000,
    drainMs: 100,
    meta: { version: '1.0.0' },
  });
  await registrar.register();
  await registrar.setWeight(4);
  return registrar;
}
