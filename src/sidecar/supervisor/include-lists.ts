import { chmodSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { BootConfig } from '../../upsync/nginx/boot.ts';
import {
  includeFileName,
  SHOW_ALL_FILE,
  SHOW_UNKNOWN_FILE,
  showFileName,
} from '../../upsync/nginx/file-names.ts';
import type { Translation } from '../../upsync/nginx/translation.ts';
import {
  formatAllUpstreams,
  formatUpstream,
  shown,
  type ShownUpstream,
  UNKNOWN_UPSTREAM,
} from '../../upsync/show.ts';
import { includeText } from '../../upsync/targets/include-text.ts';
import type { Runtime } from './runtime.ts';

/** For an nginx without Lua: the include files it starts with, and the texts that answer `upstream_show`. */
export function writeIncludes(runtime: Runtime, { plans }: Translation, boot: BootConfig): void {
  mkdirSync(runtime.includes, { recursive: true, mode: 0o700 });
  for (const upstream of boot.upstreams) {
    const plan = plans.find(({ name }) => name === upstream.name);
    if (upstream.kind === 'plain' || !plan) continue;
    const text = includeText(upstream.servers, plan.balancer.method);
    writeWhole(path.join(runtime.includes, includeFileName(upstream.name)), text);
  }
  writeShows(runtime, boot);
}

function writeShows({ shows }: Runtime, boot: BootConfig): void {
  for (const folder of [shows, path.join(shows, 'by-name')]) {
    mkdirSync(folder, { recursive: true });
    // Whatever the umask: the workers read them as another user.
    chmodSync(folder, 0o755);
  }
  const all = boot.upstreams.map((upstream): ShownUpstream =>
    upstream.kind === 'plain' ? upstream : shown(upstream.name, upstream.servers),
  );
  writeWhole(path.join(shows, SHOW_ALL_FILE), formatAllUpstreams(all));
  writeWhole(path.join(shows, SHOW_UNKNOWN_FILE), UNKNOWN_UPSTREAM);
  for (const one of all) writeWhole(path.join(shows, showFileName(one.name)), formatUpstream(one));
}

function writeWhole(file: string, text: string): void {
  writeFileSync(`${file}.new`, text, { mode: 0o644 });
  chmodSync(`${file}.new`, 0o644);
  renameSync(`${file}.new`, file);
}
