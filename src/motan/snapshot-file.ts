import { createHash } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { replaceFile } from '../discovery/replace-file.ts';
import { errorText, type Result, UpsyncError } from '../upstream/errors.ts';
import type { Health, Provider } from './provider.ts';
import { parseName } from './name.ts';

/** The servers of one IDC, as last believed. */
export interface SnapshotPlace {
  readonly idc: string;
  readonly servers: readonly (Provider & { readonly since: number })[];
}

/** What is kept on disk of one name. */
export interface NameSnapshot {
  /** Canonical name. */
  readonly name: string;
  /** When a registry last vouched for it, milliseconds since the epoch. */
  readonly confirmedAt: number;
  readonly places: readonly SnapshotPlace[];
  /** Text of the commands of its Motan group: traffic that was switched stays switched over a start. @default none */
  readonly command?: string | undefined;
}

const FORMAT = 1;
const MAX_BYTES = 64 * 1024 * 1024;
const HEALTHS: readonly string[] = ['passing', 'warning', 'critical', 'missing'] satisfies Health[];

/** Where the snapshot of a name lies. Safe by construction: a name holds letters, digits, hyphens and dots only. */
export function snapshotPath(folder: string, name: string): string {
  return join(folder, `${parseName(name).text}.json`);
}

/**
 * Writes a snapshot so that a reader sees the old one or the new one, whole: a temporary file (mode 0600), fsync, rename. It
 * is signed by content (SHA-256 over the canonical JSON), which detects damage, not forgery.
 * @throws {UpsyncError} SNAPSHOT_WRITE when the disk refuses; the old file is then still there.
 */
export async function writeSnapshot(folder: string, snapshot: NameSnapshot): Promise<void> {
  const path = snapshotPath(folder, snapshot.name);
  const body = { format: FORMAT, ...bare(snapshot) };
  const text = `${JSON.stringify({ ...body, sha256: sign(body) }, undefined, 1)}\n`;
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await replaceFile(path, text);
  } catch (cause) {
    throw new UpsyncError('SNAPSHOT_WRITE', `the snapshot ${path} was not written: ${errorText(cause)}`, {
      cause,
    });
  }
}

/**
 * Reads a snapshot back. `undefined` when there is none; an error (SNAPSHOT_BAD, SNAPSHOT_READ) when it is damaged, of another
 * format, or of another name: it is then to be ignored.
 */
export async function readSnapshot(folder: string, name: string): Promise<Result<NameSnapshot | undefined>> {
  const path = snapshotPath(folder, name);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return { ok: true, value: undefined };
    return failed('SNAPSHOT_READ', path, errorText(cause), cause);
  }
  if (text.length > MAX_BYTES) return failed('SNAPSHOT_BAD', path, 'it is too large');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    return failed('SNAPSHOT_BAD', path, 'it is not whole JSON', cause);
  }
  const { sha256, ...body } = (value ?? {}) as Record<string, unknown>;
  if (sha256 !== sign(body)) return failed('SNAPSHOT_BAD', path, 'its content does not match its signature');
  if (body['format'] !== FORMAT) return failed('SNAPSHOT_BAD', path, 'it is of another format');
  const snapshot = body as unknown as NameSnapshot;
  if (snapshot.name !== name || !isSnapshot(snapshot))
    return failed('SNAPSHOT_BAD', path, 'it does not hold the servers of this name');
  return { ok: true, value: snapshot };
}

/** JSON with sorted keys: the same for the same content. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const fields = Object.entries(value).filter(([, field]) => field !== undefined);
  fields.sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${fields.map(([name, field]) => `${JSON.stringify(name)}:${canonicalJson(field)}`).join(',')}}`;
}

function sign(body: object): string {
  return createHash('sha256').update(canonicalJson(body)).digest('hex');
}

function bare({ name, confirmedAt, places, command }: NameSnapshot): NameSnapshot {
  return {
    name,
    confirmedAt,
    ...(command === undefined || command === '' ? {} : { command }),
    places: places.map(({ idc, servers }) => ({
      idc,
      servers: servers.map(({ id, address, host, port, weight, health, since }) => ({
        id,
        address,
        host,
        port,
        weight,
        health,
        since,
      })),
    })),
  };
}

function isSnapshot({ confirmedAt, places, command }: NameSnapshot): boolean {
  const isServer = (server: SnapshotPlace['servers'][number]): boolean =>
    [server.id, server.address, server.host].every((text) => typeof text === 'string') &&
    [server.port, server.weight, server.since].every(Number.isFinite) &&
    HEALTHS.includes(server.health);
  return (
    Number.isFinite(confirmedAt) &&
    (command === undefined || typeof command === 'string') &&
    Array.isArray(places) &&
    (places as readonly SnapshotPlace[]).every(
      (place) =>
        typeof place.idc === 'string' && Array.isArray(place.servers) && place.servers.every(isServer),
    )
  );
}

function failed(code: string, path: string, why: string, cause?: unknown): Result<never> {
  const message = `the snapshot ${path} is ignored: ${why}`;
  return { ok: false, error: new UpsyncError(code, message, { cause }) };
}
