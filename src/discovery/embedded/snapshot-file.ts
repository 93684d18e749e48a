import type { AgentDump } from './agent.ts';
import type { CheckSpec } from './check-spec.ts';
import type { Catalog } from './store/catalog.ts';
import type { KvEntry } from './store/kv.ts';

const FORMAT = 'upsync-registry';
const VERSION = 1;

/** Everything the registry keeps over a restart. */
export interface Snapshot {
  /** The last index given to a write. */
  readonly index: number;
  readonly nodeId: string;
  readonly kv: readonly KvEntry[];
  readonly catalog: ReturnType<Catalog['dump']>;
  readonly agent: AgentDump;
}

/** The file's text: JSON, one key or record a line, so that it can be read and compared. */
export function encodeSnapshot(snapshot: Snapshot): string {
  const { agent, catalog, index, kv, nodeId } = snapshot;
  const lines = (items: readonly unknown[]) =>
    items.length === 0 ? '[]' : `[\n${items.map((item) => JSON.stringify(item)).join(',\n')}\n]`;
  const kvLines = lines(
    kv.map((entry) => [
      ...[entry.key, entry.value.toString('base64'), entry.flags],
      ...[entry.createIndex, entry.modifyIndex],
    ]),
  );
  return `{"format":"${FORMAT}","version":${VERSION},"index":${index},"nodeId":${JSON.stringify(nodeId)},
"kv":${kvLines},
"nodes":${lines(catalog.nodes)},
"services":${lines(catalog.services)},
"checks":${lines(catalog.checks)},
"agent":${JSON.stringify(agent)}}
`;
}

/** Reads such a text back. Throws an `Error` that says what is wrong with it. */
export function decodeSnapshot(text: string): Snapshot {
  const file = object(JSON.parse(text), 'the file');
  if (file.format !== FORMAT) throw new Error('it is not a data file of this registry');
  if (file.version !== VERSION) throw new Error('it was written by another version');
  const index = whole(file.index, 'index');
  const agent = object(file.agent, 'agent');
  return {
    index,
    nodeId: string(file.nodeId, 'nodeId'),
    kv: list(file.kv, 'kv').map(decodeEntry),
    catalog: {
      nodes: records(file.nodes, 'nodes', ['Node', 'Address']),
      services: records(file.services, 'services', ['Node', 'ID', 'Service']),
      checks: records(file.checks, 'checks', ['Node', 'CheckID', 'Status', 'ServiceID', 'ServiceName']),
    },
    agent: {
      services: list(agent.services, 'agent.services').map((id) => string(id, 'agent.services')),
      checks: list(agent.checks, 'agent.checks').map(decodeAgentCheck),
    },
  };
}

function decodeAgentCheck(raw: unknown): AgentDump['checks'][number] {
  const [id, spec] = list(raw, 'agent.checks');
  if (spec !== null)
    for (const member of ['ttlMs', 'intervalMs', 'timeoutMs', 'deregisterAfterMs'])
      if (typeof object(spec, 'agent.checks')[member] !== 'number')
        throw new Error(`agent.checks.${member} is no number`);
  return [string(id, 'agent.checks'), spec as CheckSpec | null];
}

function decodeEntry(raw: unknown): KvEntry {
  const [key, value, flags, createIndex, modifyIndex] = list(raw, 'kv');
  if (!/^\d{1,20}$/.test(string(flags, 'flags'))) throw new Error('flags of a key are no number');
  return {
    key: string(key, 'key'),
    value: Buffer.from(string(value, 'value'), 'base64'),
    flags: flags as string,
    createIndex: whole(createIndex, 'createIndex'),
    modifyIndex: whole(modifyIndex, 'modifyIndex'),
  };
}

function records<T>(value: unknown, name: string, texts: readonly string[]): T[] {
  return list(value, name).map((item) => {
    const record = object(item, name);
    for (const member of texts) string(record[member], `${name}.${member}`);
    whole(record.CreateIndex, `${name}.CreateIndex`);
    whole(record.ModifyIndex, `${name}.ModifyIndex`);
    return record as T;
  });
}

function object(value: unknown, name: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Error(`${name} is no object`);
  return value as Record<string, unknown>;
}

function list(value: unknown, name: string): unknown[] {
  if (!Array.isArray(value)) throw new Error(`${name} is no list`);
  return value as unknown[];
}

function string(value: unknown, name: string): string {
  if (typeof value !== 'string') throw new Error(`${name} is no text`);
  return value;
}

function whole(value: unknown, name: string): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0)
    throw new Error(`${name} is no whole number`);
  return value;
}
