import type { Provider } from '../../src/motan/provider.ts';

/** Server number `id` of a list, healthy with weight 1 unless told otherwise. */
export function provider(id: number, given: Partial<Provider> = {}): Provider {
  const host = given.host ?? `10.${id >> 16}.${(id >> 8) & 255}.${id & 255}`;
  const port = given.port ?? 6379;
  return { id: String(id), address: `${host}:${port}`, host, port, weight: 1, health: 'passing', ...given };
}
