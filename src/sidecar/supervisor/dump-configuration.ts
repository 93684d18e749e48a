import { toText } from '../../upsync/nginx/config/bytes.ts';
import { loadConfig } from '../../upsync/nginx/config/load.ts';

/** What `nginx -T` prints of a configuration: the user's own files, each with its name, in the order they are read. */
export function dumpConfiguration(main: string): string {
  const files = [...loadConfig(main).files.values()];
  return files.map(({ path, text }) => `# configuration file ${path}:\n${toText(text)}\n`).join('');
}
