import { spawnSync } from 'node:child_process';

/** Path of a real Consul, where the tests would find it as well; undefined when there is none. */
export function findConsul(): string | undefined {
  const { status, stdout } = spawnSync(process.execPath, ['test/helpers/build-consul.mjs', '--find'], {
    encoding: 'utf8',
    timeout: 10_000,
  });
  return status === 0 ? stdout.trim() : undefined;
}
