import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';

const SCRIPT = path.resolve(import.meta.dirname, '../../scripts/chroot-nginx.sh');
const MAKE_WITHIN_MS = 600_000;

/** True when nothing may be missing (CI). */
export const allRequired = process.env['UPSYNC_REQUIRE'] === 'all';

/** An nginx of a Debian suite, or why there is none on this machine. */
export type NewerNginx =
  | { readonly suite: string; readonly program: string; readonly version: string }
  | { readonly suite: string; readonly missing: string };

/**
 * The nginx of a Debian suite, from the cache. Where everything is required it is made, which takes a minute the first
 * time; elsewhere nobody downloads a distribution without being asked.
 */
export function newerNginx(suite: string): NewerNginx {
  const cache = process.env['XDG_CACHE_HOME'] ?? path.join(homedir(), '.cache');
  const folder = path.join(cache, 'upsync', `nginx-${suite}`);
  if (!allRequired && !existsSync(path.join(folder, 'root')))
    return { suite, missing: `to make one: scripts/chroot-nginx.sh ${suite} ${folder}` };
  const made = spawnSync('sh', [SCRIPT, suite, folder], { encoding: 'utf8', timeout: MAKE_WITHIN_MS });
  if (made.status !== 0)
    return { suite, missing: made.stderr.trim() || (made.error?.message ?? 'the script was ended') };
  const program = made.stdout.trim();
  const { stderr } = spawnSync(program, ['-v'], { encoding: 'utf8' });
  return { suite, program, version: /nginx\/(\S+)/.exec(stderr)?.[1] ?? stderr };
}

/** Whether a version is at least the other: `1.30.6` and `1.29.7`. */
export function isAtLeast(version: string, wanted: string): boolean {
  const [have, need] = [version, wanted].map((text) => text.split('.').map(Number)) as [number[], number[]];
  const differs = need.findIndex((part, i) => (have[i] ?? 0) !== part);
  return differs === -1 || (have[differs] ?? 0) > need[differs]!;
}
