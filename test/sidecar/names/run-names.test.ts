import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { StringAnswer } from 'dns-packet';
import { createEmbeddedRegistry, type EmbeddedRegistry } from '../../../src/discovery/embedded/registry.ts';
import { runProgram } from '../../../src/sidecar/cli/program.ts';
import type { NamesStatus } from '../../../src/sidecar/names/names-status.ts';
import { runSidecar } from '../../../src/sidecar/run.ts';
import { askUdp, question, read } from '../../helpers/dns.ts';
import { recordingLogger } from '../../helpers/recording-logger.ts';
import { scratchFolder } from '../../helpers/scratch-folder.ts';
import { freePort } from '../../helpers/ports.ts';

let registries: Record<'a' | 'b', EmbeddedRegistry>;
let logger: ReturnType<typeof recordingLogger>;
let stop: AbortController;
let running: Promise<unknown> | undefined;
let file: string;
let dnsPort: number;

beforeEach(async () => {
  const open = () => createEmbeddedRegistry({ listen: '127.0.0.1:0' });
  registries = { a: await open(), b: await open() };
  await register('a', '10.0.0.1');
  await register('b', '10.1.0.1');
  logger = recordingLogger();
  stop = new AbortController();
  file = path.join(scratchFolder({}), 'upsync.yaml');
  dnsPort = await freePort();
});

afterEach(async () => {
  stop.abort();
  await running?.catch(() => undefined);
  running = undefined;
  await Promise.all(Object.values(registries).map((registry) => registry.close()));
});

async function register(idc: 'a' | 'b', host: string): Promise<void> {
  const body = JSON.stringify({ ID: host, Name: 'rs', Address: host, Port: 6379, Weights: { Passing: 20 } });
  const url = `${registries[idc].url}/v1/agent/service/register`;
  expect((await fetch(url, { method: 'PUT', body })).status).toBe(200);
}

interface Given {
  readonly idcs?: string;
  readonly dns?: string | undefined;
  readonly plan?: string;
  readonly more?: string;
}

function write({ idcs = 'ab', dns = '', plan, more = '' }: Given): void {
  const registryOf = (idc: string) => registries[idc as 'a'].url;
  const lines = [
    'motan:',
    '  local: a',
    `  consul: ${registries.a.url}`,
    '  idcs:',
    ...[...idcs].map((idc) => `    - { name: ${idc}, registry: "${registryOf(idc)}" }`),
    `dns: { listen: "127.0.0.1:${dnsPort}"${dns} }`,
    ...(plan === undefined ? [] : [`schedules: ["always: ${plan} from 00:00 to 24:00 UTC"]`]),
    more,
  ];
  writeFileSync(file, lines.join('\n'));
}

interface Ready {
  readonly adminUrl?: string;
  readonly names?: NamesStatus;
}

function run(): Promise<Ready> {
  return new Promise((resolve, reject) => {
    running = runSidecar({
      configFile: file,
      env: {},
      createLogger: () => logger,
      signal: stop.signal,
      onReady: resolve,
      watch: { quietMs: 10, netMs: 60_000 },
    });
    running.catch(reject);
  });
}

async function ask(name = 'rs.a.6379.idc.local'): Promise<{ code: string; hosts: readonly string[] }> {
  const reply = read(await askUdp(dnsPort, question(name, 'A')));
  return { code: reply.rcode, hosts: (reply.answers ?? []).map((one) => (one as StringAnswer).data) };
}

const hosts = async (name?: string) => (await ask(name)).hosts;
const SERVICE = 'config_service: { listen: "127.0.0.1:0" }';
const ADMIN = 'admin: { listen: "127.0.0.1:0" }';

describe('upsync run with names', () => {
  it('serves them without any nginx, and says so', async () => {
    write({ plan: 'b 1', more: SERVICE });
    const { names } = await run();
    expect(logger.events()).toContain('names_served');
    expect(names).toMatchObject({ idc: 'a', dns: { address: `127.0.0.1:${dnsPort}` } });
    expect(await hosts()).toEqual(['10.1.0.1']);
    const lookup = '/naming/service?action=lookup&service=rs&cluster=a/6379';
    expect(await (await fetch(names!.configService!.url + lookup)).json()).toMatchObject({
      body: { nodes: { working: [{ host: '10.1.0.1:6379' }] } },
    });
  });

  it('puts another plan in force without a question lost or DNS started anew', async () => {
    write({ plan: 'b 1' });
    await run();
    expect(await hosts()).toEqual(['10.1.0.1']);
    write({ plan: 'a 1' });
    await expect.poll(() => hosts(), { timeout: 10_000 }).toEqual(['10.0.0.1']);
    write({});
    await expect.poll(() => logger.events().filter((one) => one === 'traffic_plan_changed').length).toBe(3);
    expect(await hosts()).toEqual(['10.0.0.1']);
  });

  it('takes IDCs in and out while it answers, and leaves what has registered with the config service', async () => {
    write({ idcs: 'a', more: SERVICE });
    const { names } = await run();
    const service = `${names!.configService!.url}/naming/service?`;
    const beat = { heartBeat: [{ service: 'own', clusters: [{ cluster: 'x', node: '10.9.0.1:80' }] }] };
    await fetch(`${service}action=register&service=own&cluster=x&node=10.9.0.1:80`, { method: 'POST' });
    await fetch(`${service}action=heartbeat`, { method: 'POST', body: JSON.stringify(beat) });
    expect(await ask('rs.b.6379.idc.local')).toEqual({ code: 'NXDOMAIN', hosts: [] });
    let isAsking = true;
    const codes = new Set<string>();
    const asking = (async () => {
      while (isAsking) codes.add((await ask()).code);
    })();
    write({ idcs: 'ab', more: SERVICE });
    await expect.poll(() => hosts('rs.b.6379.idc.local'), { timeout: 10_000 }).toEqual(['10.1.0.1']);
    write({ idcs: 'a', more: SERVICE });
    await expect
      .poll(async () => (await ask('rs.b.6379.idc.local')).code, { timeout: 10_000 })
      .toBe('NXDOMAIN');
    isAsking = false;
    await asking;
    expect([...codes]).toEqual(['NOERROR']);
    const found = await (await fetch(`${service}action=lookup&service=own&cluster=x`)).json();
    expect(found).toMatchObject({ body: { nodes: { working: [{ host: '10.9.0.1:80' }] } } });
  });

  it('keeps what it serves when the file is bad, in any way', async () => {
    write({ plan: 'b 1' });
    await run();
    const refusals = () => logger.events().filter((event) => event === 'configuration_refused').length;
    const bad: [string, () => void][] = [
      ['no YAML', () => writeFileSync(file, 'motan: [')],
      ['an unknown setting', () => write({ dns: ', tlt: 5' })],
      ['a plan of an IDC that is not there', () => write({ plan: 'mars 1' })],
      ['a plan nobody can read', () => write({ plan: 'b heavy' })],
      ['an IDC twice', () => write({ idcs: 'aa' })],
      ['a suffix that is no domain', () => write({ plan: 'b 1', dns: ', suffix: "no domain"' })],
      ['an admin API without an address', () => write({ plan: 'a 1', more: 'admin: { listen: "nowhere" }' })],
    ];
    for (const [at, [title, make]] of bad.entries()) {
      make();
      await expect.poll(refusals, { timeout: 10_000, message: title }).toBe(at + 1);
      expect(await hosts(), title).toEqual(['10.1.0.1']);
    }
    write({ plan: 'a 1' });
    await expect.poll(() => hosts(), { timeout: 10_000 }).toEqual(['10.0.0.1']);
  });

  it('goes back to its old address when the new one is taken', async () => {
    write({});
    await run();
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as { port: number };
    const text = readFileSync(file, 'utf8');
    writeFileSync(file, text.replace(`127.0.0.1:${dnsPort}`, `127.0.0.1:${port}`));
    await expect.poll(() => logger.events(), { timeout: 10_000 }).toContain('configuration_refused');
    expect(await hosts()).toEqual(['10.0.0.1']);
    writeFileSync(file, `${text}\n${SERVICE.replace(':0"', `:${port}"`)}`);
    const refused = () => logger.events().filter((event) => event === 'configuration_refused').length;
    await expect.poll(refused, { timeout: 10_000 }).toBe(2);
    expect(await hosts()).toEqual(['10.0.0.1']);
    other.close();
  });

  it('begins and ends to serve names with their sections', async () => {
    writeFileSync(file, 'log_level: info\n');
    await run();
    write({});
    await expect.poll(() => logger.events(), { timeout: 10_000 }).toContain('names_served');
    expect(await hosts()).toEqual(['10.0.0.1']);
    writeFileSync(file, 'log_level: warn\n');
    const silence = () => askUdp(dnsPort, question('rs.a.6379', 'A'), 100);
    await expect.poll(silence, { timeout: 10_000 }).toBeUndefined();
    expect(logger.events()).toContain('log_level_changed');
  });

  it('warns when names are configured and nothing serves them', async () => {
    write({});
    writeFileSync(file, readFileSync(file, 'utf8').replace(/^dns:.*$/m, ''));
    await run();
    expect(logger.events()).toContain('names_not_served');
  });

  it('tells names, plans and questions over the admin API and in the metrics', async () => {
    write({ plan: 'a 70, b 30', more: ADMIN });
    const { adminUrl } = await run();
    const get = (url: string) => fetch(new URL(url, adminUrl));
    expect(await ask()).toMatchObject({ code: 'NOERROR' });
    expect(await (await get('/names')).json()).toMatchObject({
      idc: 'a',
      watched: 1,
      plans: [{ target: '*', plan: 'always', weights: { a: 70, b: 30 } }],
      dns: { queries: 1, suffix: 'idc.local' },
    });
    expect(await (await get('/names/rs.a.6379')).json()).toMatchObject({
      state: 'live',
      idcs: [
        { idc: 'a', share: 0.7, healthy: 1 },
        { idc: 'b', share: 0.3 },
      ],
    });
    expect((await get('/names/rs.b.6379')).status).toBe(404);
    const text = await (await get('/metrics')).text();
    for (const line of [
      'upsync_name_share{name="rs.a.6379",idc="b"} 0.3',
      'upsync_name_servers{name="rs.a.6379",idc="a",state="healthy"} 1',
      'upsync_name_live{name="rs.a.6379"} 1',
      'upsync_traffic_plan_active{target="*",plan="always"} 1',
      'upsync_dns_queries_total 1',
      'upsync_dns_answers_total{code="NOERROR"} 1',
    ])
      expect(text).toContain(line);
  });

  it('is shown by upsync show', async () => {
    write({ plan: 'a 70, b 30', more: `status_socket: ${path.join(path.dirname(file), 's')}` });
    await run();
    await ask();
    let text = '';
    const out = (more: string): void => void (text += more);
    const context = { stdout: out, stderr: out, env: {}, signal: stop.signal, exitCode: 0 };
    expect(await runProgram(['show', '--socket', path.join(path.dirname(file), 's')], context)).toBe(0);
    expect(text).toContain('names, seen from IDC a: 1 watched');
    expect(text).toContain(`dns 127.0.0.1:${dnsPort} (idc.local), 1 question`);
    expect(text).toMatch(/plan for \*: always \(a 70, b 30\) until/);
    expect(text).toContain('rs.a.6379 live: a 70 % (1 of 1 healthy), b 30 % (1 of 1 healthy)');
  });
});

describe('upsync dns with a file', () => {
  it('follows it', async () => {
    write({});
    let text = '';
    const out = (more: string): void => void (text += more);
    const context = { stdout: out, stderr: out, env: {}, signal: stop.signal, exitCode: 0 };
    running = runProgram(['dns', '-c', file], context);
    await expect.poll(() => text, { timeout: 10_000 }).toContain('dns listens on');
    write({ plan: 'b 1' });
    await expect.poll(() => hosts(), { timeout: 10_000 }).toEqual(['10.1.0.1']);
    write({ plan: 'mars 1' });
    await expect.poll(() => text, { timeout: 10_000 }).toContain('which is none of the IDCs: a, b');
    expect(text).toContain('upsync.yaml:8');
    expect(await hosts()).toEqual(['10.1.0.1']);
  });
});
