import { chmod, mkdir } from 'node:fs/promises';
import path from 'node:path';
import type { BootConfig } from '../../upsync/nginx/boot.ts';
import { includeFileName } from '../../upsync/nginx/file-names.ts';
import { shown, type ShownUpstream } from '../../upsync/show.ts';
import { includeText } from '../../upsync/targets/include-text.ts';
import { replaceText } from '../../upsync/targets/replace-text.ts';
import { ShowFiles } from '../../upsync/targets/show-files.ts';
import type { Runtime } from './runtime.ts';

/** For an nginx without Lua: the include files it starts with, and the texts that answer `upstream_show`. */
export async function writeIncludes(runtime: Runtime, boot: BootConfig): Promise<void> {
  await mkdir(runtime.includes, { recursive: true, mode: 0o700 });
  for (const upstream of boot.upstreams) {
    if (upstream.kind === 'plain') continue;
    const text = includeText(upstream.servers, upstream.balancer.method);
    await replaceText(path.join(runtime.includes, includeFileName(upstream.name)), text);
  }
  const byName = path.join(runtime.shows, 'by-name');
  await mkdir(byName, { recursive: true });
  // Whatever the umask: the workers read them as another user.
  for (const folder of [runtime.shows, byName]) await chmod(folder, 0o755);
  await new ShowFiles(runtime.shows, shownUpstreams(boot)).writeAll();
}

/** Every upstream as it is shown at the start. */
export function shownUpstreams(boot: BootConfig): readonly ShownUpstream[] {
  return boot.upstreams.map((upstream) =>
    upstream.kind === 'plain'
      ? { name: upstream.name, lines: upstream.lines }
      : shown(upstream.name, upstream.servers),
  );
}
