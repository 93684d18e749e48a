import { networkInterfaces } from 'node:os';

/**
 * The address route rules compare with: `MOTAN_LOCAL_IP`, else the first IPv4 address that is not loopback, preferably one that
 * starts with `MOTAN_IP_PREFIX`, else 127.0.0.1. Source: Motan `NetUtils`.
 */
export function findLocalIp(
  environment: Readonly<Record<string, string | undefined>> = process.env,
  interfaces: ReturnType<typeof networkInterfaces> = networkInterfaces(),
): string {
  const named = environment['MOTAN_LOCAL_IP'];
  if (named !== undefined && named !== '') return named;
  const addresses = Object.values(interfaces)
    .flatMap((list) => list ?? [])
    .filter(({ family, internal }) => family === 'IPv4' && !internal)
    .map(({ address }) => address);
  const prefix = environment['MOTAN_IP_PREFIX'] ?? '';
  return addresses.find((address) => address.startsWith(prefix)) ?? addresses[0] ?? '127.0.0.1';
}
