import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import path from 'node:path';
import { promisify } from 'node:util';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { createEmbeddedRegistry, type EmbeddedRegistry } from '../../src/discovery/embedded/registry.ts';
import { startRedis } from '../helpers/redis.ts';
import { scratchFolder } from '../helpers/scratch-folder.ts';
import { freePort, freePorts } from '../helpers/ports.ts';

const run = promisify(execFile);
const ROOT = path.resolve(import.meta.dirname, '../..');
const PROGRAM = path.join(ROOT, 'dist/sidecar/main.js');
const page = readFileSync(path.join(ROOT, 'docs/motan.md'), 'utf8');
const blocks = (kind: string): string[] =>
  [...page.matchAll(new RegExp(`^\`\`\`${kind}\n(.*?)^\`\`\`$`, 'gms'))].map(([, text]) => text!);

let ports: Readonly<Record<string, number>>;
let folder: string;
const children: ChildProcess[] = [];

/** The page's own ports are somebody else's here. */
const moved = (text: string): string =>
  text.replace(/(127\.0\.0\.1:|-p )(8500|8501|8653|8090)\b/g, (_, before, port) => `${before}${ports[port]}`);

beforeAll(async () => {
  await run(process.execPath, [path.join(ROOT, 'scripts/build.mjs')], { cwd: ROOT });
  const [a, b, dns, service] = (await freePorts(4)) as [number, number, number, number];
  ports = { 8500: a, 8501: b, 8653: dns, 8090: service };
});

afterAll(async () => {
  await Promise.all(children.map(end));
});

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGTERM');
  await gone;
}

/** Runs a line of the page as typed, and gives its output once it says `expected` or has ended. */
async function type(line: string, expected?: (output: string, log: string) => boolean): Promise<string> {
  const wanted = moved(line).replace(/ &$/, '');
  // Where the page relies on the usual agent, ours has to be named.
  const isBare = /^upsync (register|command|resolve) /.test(wanted) && !/--consul|-c /.test(wanted);
  const command = isBare ? `${wanted} --consul http://127.0.0.1:${ports[8500]}` : wanted;
  const script = `upsync() { exec "$NODE" "$PROGRAM" "$@"; }\n${command}`;
  const env = { ...process.env, NODE: process.execPath, PROGRAM };
  const child = spawn('sh', ['-c', script], { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
  children.push(child);
  let output = '';
  let log = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (output += chunk));
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (log += chunk));
  let hasEnded = false;
  child.once('close', () => (hasEnded = true));
  await expect.poll(() => hasEnded || expected?.(output, log), { timeout: 15_000, message: line }).toBe(true);
  return output;
}

const squeezed = (text: string): string =>
  text
    .trim()
    .split('\n')
    .map((line) =>
      line
        .trim()
        .replaceAll(/\s+/g, ' ')
        .replace(/version \d+/, 'version N')
        .replace(/"sign":"[^"]*…?"/, 'sign'),
    )
    .join('\n');

/** Commands of a block and what they print. */
function dialogues(text: string): { command: string; output: string }[] {
  return text
    .split(/^\$ /m)
    .slice(1)
    .map((part) => {
      const [command, ...output] = part.split('\n');
      return { command: command!, output: output.join('\n') };
    });
}

describe('the commands of docs/motan.md', () => {
  it('print what the page shows, one after the other', { timeout: 120_000 }, async () => {
    folder = scratchFolder();
    const [yaml] = blocks('yaml');
    writeFileSync(path.join(folder, 'plans.yaml'), moved(yaml!));
    // Plans depend on the time of day.
    writeFileSync(path.join(folder, 'upsync.yaml'), moved(yaml!.slice(0, yaml!.indexOf('schedules:'))));
    for (const line of blocks('sh')[0]!.trim().split('\n'))
      await type(line, (output) => /\n/.test(output) && !/error/i.test(output));
    await type('upsync run -c upsync.yaml', (_, log) => log.includes('engine_runs'));
    const other =
      "upsync register 'motan2://10.1.0.1:8002/com.example.User?group=user.cloud&nodeType=service&version=1.0'";
    await type(other, (output) => output.includes('is registered'));
    let count = 0;
    for (const { command, output } of blocks('').flatMap(dialogues)) {
      if (command.startsWith('cat ')) {
        writeFileSync(path.join(folder, command.slice(4)), output);
        continue;
      }
      const isThere = (said: string): boolean =>
        squeezed(said).split('\n').sort().join('\n') ===
        squeezed(moved(output)).split('\n').sort().join('\n');
      let said = '';
      // Registrations and commands take a moment to be seen.
      for (let turn = 0; turn < 20 && !isThere(said); turn++) said = await type(command, isThere);
      expect(squeezed(said).split('\n').sort(), command).toEqual(squeezed(moved(output)).split('\n').sort());
      count++;
    }
    expect(count).toBeGreaterThanOrEqual(10);
    const week = await type('upsync dns -c plans.yaml --dry-run');
    expect(week).toMatch(/^all names, times of Asia\/Shanghai\n/);
    expect(week).toMatch(
      /Mon .* 20:00 {2}to {2}Mon .* 21:00 {2}sale: cloud 1 {2}\(overlaps evening, which loses\)/,
    );
  });
});

describe('the programs of docs/motan.md', () => {
  const snippet = (what: string): string => blocks('ts').find((text) => text.includes(what))!;
  let registry: EmbeddedRegistry;

  /** Runs a snippet and `more` after it, with the page's ports replaced; resolves with what it prints. */
  async function program(
    text: string,
    more: string,
    replaced: Readonly<Record<string, number>>,
  ): Promise<string> {
    let source = ts.transpileModule(text, {
      compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 },
    }).outputText;
    for (const [from, to] of Object.entries(replaced)) source = source.replaceAll(from, String(to));
    const args = ['--input-type=module', '--eval', `${source}\n${more}\nprocess.exit(0);`];
    const { stdout } = await run(process.execPath, args, { cwd: ROOT, timeout: 30_000 });
    return stdout.trim();
  }

  async function service(name: string, port: number): Promise<void> {
    registry ??= await createEmbeddedRegistry({ listen: '127.0.0.1:0' });
    const body = JSON.stringify({ ID: name, Name: name, Address: '127.0.0.1', Port: port });
    const reply = await fetch(`${registry.url}/v1/agent/service/register`, { method: 'PUT', body });
    expect(reply.status).toBe(200);
  }

  afterAll(() => registry?.close());

  const RESOLVER = (url: string): string => `
    const { consulSources, createResolver, createTopology } = await import('upsync/motan');
    const resolver = createResolver({
      topology: createTopology({ local: 'a', idcs: [{ name: 'a' }, { name: 'b', registry: 'http://127.0.0.1:9' }] }),
      ...consulSources({ addresses: ['${url}'] }),
    });`;

  it('talk to Redis by name', async () => {
    const redis = await startRedis('127.0.0.1', await freePort());
    await service('rs', redis.port);
    const text = await program(
      snippet('redisConnector'),
      'console.log(await redis.set("k", "v"), await reader.get("k"));',
      { 6379: redis.port, 8500: registry.port },
    );
    expect(text).toBe('OK v');
  });

  it('talk to a Redis cluster by name', async () => {
    const port = await freePort();
    const bus = await freePort();
    const cluster = ['--cluster-enabled', 'yes', '--cluster-port', String(bus), '--dir', scratchFolder()];
    await startRedis('127.0.0.1', port, ...cluster, '--cluster-announce-ip', '127.0.0.1');
    await run('redis-cli', ['-p', String(port), 'CLUSTER', 'ADDSLOTSRANGE', '0', '16383']);
    await service('rc', port);
    const text = await program(
      snippet('clusterLookup'),
      `${RESOLVER(registry.url)}
      const cluster = openCluster(resolver);
      console.log(await cluster.set("k", "v"), await cluster.get("k"));`,
      { 7000: port },
    );
    expect(text).toBe('OK v');
  });

  it('open connections to other resources', async () => {
    const server: Server = createServer((socket) => socket.end('hello')).listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    const { port } = server.address() as { port: number };
    await service('mysql', port);
    const text = await program(
      snippet('createLookup'),
      `${RESOLVER(registry.url)}
      for (const socket of [await open(resolver), openByLookup(resolver)])
        for await (const bytes of socket) console.log(String(bytes));`,
      { 3306: port },
    );
    expect(text).toBe('hello\nhello');
  });

  it('start a schedule', async () => {
    await service('rs', 6379);
    const text = await program(
      snippet('startSchedule'),
      `${RESOLVER(registry.url)}
      console.log(schedule(resolver).status()[0].plan);`,
      {},
    );
    expect(text).toBe('always');
  });

  it('are all of those on the page', () => {
    expect(blocks('ts')).toHaveLength(4);
    expect(blocks('js')).toEqual([]);
  });
});
