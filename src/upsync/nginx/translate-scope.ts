import type { ConfigError } from '../config-error.ts';
import type { LoadedConfig } from './config/load.ts';
import type { Edits } from './edits.ts';
import type { TranslateOptions } from './translation.ts';

/** What the steps of one translation share: what was read, and where they put what they find. */
export interface TranslateScope {
  readonly config: LoadedConfig;
  readonly options: TranslateOptions;
  readonly edits: Edits;
  readonly errors: ConfigError[];
  readonly warnings: string[];
}
