import { readdirSync } from 'node:fs';
import path from 'node:path';

/** The control socket of the one `upsync nginx` that runs with this folder as its UPSYNC_RUNTIME_DIR. */
export function controlSocketIn(runtimeFolder: string): string {
  const [runtime] = readdirSync(runtimeFolder);
  if (runtime === undefined) throw new Error(`${runtimeFolder} is empty: upsync nginx has not started`);
  return path.join(runtimeFolder, runtime, 'private', 'control.sock');
}
