import { readFile } from 'node:fs/promises';
import { errorText } from '../upstream/errors.ts';
import { SourceError } from './source-error.ts';
import type { RegistryTls } from './source.ts';

/** What proves to a registry who we are. */
export interface Credentials {
  readonly token?: string | undefined;
  /** First line is the token; wins over `token`. Read again for each request, so that it can be rotated. */
  readonly tokenFile?: string | undefined;
  readonly tls?: RegistryTls | undefined;
}

/**
 * The token to send now, or undefined when there is none.
 * @throws {SourceError} SOURCE_CREDENTIALS when the file cannot be read or the token cannot be a header. Names no token.
 */
export async function readToken({ token, tokenFile }: Credentials): Promise<string | undefined> {
  let value = token;
  if (tokenFile !== undefined) value = (await readPem(tokenFile, 'token file')).split(/\r?\n/, 1)[0]!.trim();
  if (value === undefined || value === '') return undefined;
  if (!/^[\x20-\x7e]{1,4096}$/.test(value))
    throw new SourceError(
      'SOURCE_CREDENTIALS',
      'the token of a registry holds characters no header can have',
    );
  return value;
}

/** TLS options as Node takes them, the files read. */
export interface LoadedTls {
  ca?: string;
  cert?: string;
  key?: string;
  servername?: string;
}

/**
 * Reads the TLS files.
 * @throws {SourceError} SOURCE_CREDENTIALS when one cannot be read.
 */
export async function loadTls(tls: RegistryTls | undefined): Promise<LoadedTls> {
  const loaded: LoadedTls = {};
  if (tls?.ca !== undefined) loaded.ca = await readPem(tls.ca, 'CA file');
  if (tls?.cert !== undefined) loaded.cert = await readPem(tls.cert, 'client certificate');
  if (tls?.key !== undefined) loaded.key = await readPem(tls.key, 'client key');
  if (tls?.serverName !== undefined) loaded.servername = tls.serverName;
  return loaded;
}

async function readPem(path: string, what: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new SourceError(
      'SOURCE_CREDENTIALS',
      `could not read the ${what} ${path}: ${errorText(error)}; the registry is asked again once it can be read`,
      { cause: error },
    );
  }
}
