import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Logger } from '../upstream/logger.ts';
import { tellRefused } from './tell-refused.ts';
import { readYaml, type YamlFile } from './upsync-yaml.ts';
import { type FolderWatch, watchFolders } from './watch-folders.ts';

/**
 * Calls `apply` with a configuration file after each change since it had the print `applied`. A change that cannot be read or applied is logged once; what
 * was applied last goes on.
 */
export function followYaml(
  file: string,
  applied: string,
  apply: (yaml: YamlFile) => Promise<void>,
  options: { readonly logger: Logger; readonly quietMs?: number; readonly netMs?: number },
): FolderWatch {
  let refused = '';
  const look = async (): Promise<void> => {
    const print = filePrint(file);
    if (print === applied) refused = '';
    if (print === applied || print === refused) return;
    try {
      await apply(readYaml(file));
      applied = print;
      refused = '';
      options.logger.info({ file }, 'configuration_loaded');
    } catch (error) {
      refused = print;
      tellRefused(error, options.logger);
    }
  };
  return watchFolders([path.dirname(file)], look, options);
}

/** Differs when the file does; a file that is gone has a print as well. */
export function filePrint(file: string): string {
  try {
    return createHash('sha256').update(readFileSync(file)).digest('hex');
  } catch {
    return 'unreadable';
  }
}
