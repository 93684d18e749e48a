import path from 'node:path';
import { output } from './child.ts';
import type { PacedOptions, PacedResult } from './paced-client.ts';

/** Runs the paced client in a process of its own. */
export async function paced(options: PacedOptions): Promise<PacedResult> {
  const main = path.join(import.meta.dirname, 'paced-main.js');
  const text = await output(process.execPath, [main, JSON.stringify(options)], (options.seconds + 30) * 1000);
  return JSON.parse(text) as PacedResult;
}

/** All failures of a run, whatever their kind. */
export function failures(result: PacedResult): number {
  return Object.values(result.errors).reduce((sum, count) => sum + count, 0);
}
