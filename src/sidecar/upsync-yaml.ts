import { readFileSync } from 'node:fs';
import { isNode, LineCounter, parseDocument, type Document, type ParsedNode } from 'yaml';
import type { z } from 'zod';
import { errorText, UpsyncError } from '../upstream/errors.ts';
import { ConfigError, ConfigErrors } from '../upsync/config-error.ts';
import { nearestName } from '../upsync/nearest-name.ts';
import { type UpsyncYaml, yamlSchema } from './upsync-yaml-schema.ts';

type Path = readonly (string | number)[];

/** A configuration file as read, and where its parts stand. */
export interface YamlFile {
  readonly file: string;
  readonly data: UpsyncYaml;
  /** The line of a value, for messages: `lineOf(['upstreams', 0, 'upsync'])`. */
  lineOf(path: Path): number;
}

/** A larger file is no configuration of ours. Bytes. */
const MAX_BYTES = 16 * 1024 * 1024;

/**
 * Reads `upsync.yaml`.
 * @throws {ConfigErrors} CONFIG_INVALID with every mistake and its line; {UpsyncError} CONFIG_UNREADABLE.
 */
export function readYaml(file: string): YamlFile {
  try {
    return parseYaml(readFileSync(file, 'utf8'), file);
  } catch (error) {
    if (error instanceof UpsyncError) throw error;
    throw new UpsyncError('CONFIG_UNREADABLE', `cannot read ${file}: ${errorText(error)}`, { cause: error });
  }
}

/** As {@link readYaml}, for text that was read. Values are not quoted in messages, since some are secrets. */
export function parseYaml(text: string, file: string): YamlFile {
  if (text.length > MAX_BYTES) throw new UpsyncError('CONFIG_UNREADABLE', `${file} is too large`);
  const lines = new LineCounter();
  // Without pretty errors: those quote the line, which may hold a token.
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const lineAt = (offset: number): number => lines.linePos(offset).line;
  if (document.errors.length > 0)
    throw new ConfigErrors(
      document.errors.map(
        (error) =>
          new ConfigError(`${error.code.toLowerCase().replaceAll('_', ' ')}`, {
            file,
            line: lineAt(error.pos[0]),
          }),
      ),
    );
  const lineOf = (path: Path): number => lineAt(offsetOf(document, path));
  let data: unknown;
  try {
    // Anchors are for people; a few of them may blow up to gigabytes.
    data = document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    throw new ConfigErrors([new ConfigError(errorText(error), { file, line: 1 })]);
  }
  // An editor empties a file before it writes it: that moment must not take every upstream away.
  if (data === null || data === undefined)
    throw new ConfigErrors([new ConfigError('the file is empty', { file, line: 1 })]);
  const result = yamlSchema.safeParse(data);
  if (!result.success)
    throw new ConfigErrors(
      result.error.issues.flatMap((issue) =>
        explain(issue, data).map(({ reason, path }) => new ConfigError(reason, { file, line: lineOf(path) })),
      ),
    );
  return { file, data: result.data, lineOf };
}

/** True when a configuration says anything about names. */
export function speaksOfNames({ data }: Pick<YamlFile, 'data'>): boolean {
  return [data.motan, data.dns, data.config_service, data.schedules].some((section) => section !== undefined);
}

function explain(issue: z.core.$ZodIssue, data: unknown): { reason: string; path: Path }[] {
  const path = issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part));
  const where = path.length === 0 ? 'the file' : `"${path.join('.')}"`;
  if (issue.code === 'unrecognized_keys') {
    const known = knownKeys(path);
    return issue.keys.map((key) => {
      const near = nearestName(key, known);
      const hint = near === undefined ? '' : `, did you mean "${near}"?`;
      return {
        reason: `unknown name ${JSON.stringify(key.slice(0, 60))} in ${where}${hint}`,
        path: [...path, key],
      };
    });
  }
  const missing = issue.code === 'invalid_type' && valueAt(data, path) === undefined;
  const problem = missing ? 'is missing' : `is wrong: ${issue.message.replace(/^Invalid input: /, '')}`;
  return [{ reason: `${where} ${problem}`, path }];
}

function knownKeys(path: Path): readonly string[] {
  const { shape } = yamlSchema;
  if (path.length === 0) return Object.keys(shape);
  const sections: Record<string, readonly string[]> = {
    nginx: Object.keys(shape.nginx.unwrap().shape),
    upstreams: Object.keys(shape.upstreams.unwrap().element.shape),
    admin: Object.keys(shape.admin.unwrap().shape),
    guard: Object.keys(shape.guard.unwrap().shape),
    motan: Object.keys(shape.motan.unwrap().shape),
    dns: Object.keys(shape.dns.unwrap().shape),
    config_service: Object.keys(shape.config_service.unwrap().shape),
  };
  if (path[0] === 'motan' && path[1] === 'idcs')
    return Object.keys(shape.motan.unwrap().shape.idcs.element.shape);
  return sections[String(path[0])] ?? [];
}

function valueAt(data: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (value, part) =>
      typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[part] : undefined,
    data,
  );
}

// The nearest part that is there: what is missing stands nowhere.
function offsetOf(document: Document.Parsed<ParsedNode>, path: Path): number {
  for (let length = path.length; length > 0; length--) {
    const key = keyOffset(document, path.slice(0, length));
    if (key !== undefined) return key;
    const node: unknown = document.getIn(path.slice(0, length), true);
    if (isNode(node) && node.range) return node.range[0];
  }
  return document.contents?.range[0] ?? 0;
}

// A value may begin on the line after its name; people look for the name.
function keyOffset(document: Document.Parsed<ParsedNode>, path: Path): number | undefined {
  const parent: unknown = path.length === 1 ? document.contents : document.getIn(path.slice(0, -1), true);
  const items = (parent as { items?: unknown } | null)?.items;
  if (!Array.isArray(items)) return undefined;
  for (const item of items as { key?: unknown }[]) {
    const key = item?.key;
    if (isNode(key) && 'value' in key && key.value === path.at(-1)) return key.range?.[0];
  }
  return undefined;
}
