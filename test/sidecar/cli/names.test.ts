import { createServer } from 'node:net';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createEmbeddedRegistry, type EmbeddedRegistry } from '../../../src/discovery/embedded/registry.ts';
import { runProgram } from '../../../src/sidecar/cli/program.ts';
import { askUdp, question, read } from '../../helpers/dns.ts';
import { scratchFolder } from '../../helpers/scratch-folder.ts';

let registry: EmbeddedRegistry;

beforeEach(async () => {
  registry = await createEmbeddedRegistry({ listen: '127.0.0.1:0' });
});

afterEach(async () => {
  await registry.close();
});

interface Run {
  readonly done: Promise<number>;
  readonly stop: () => void;
  readonly text: () => string;
}

/** Runs a command line; it stays up until `stop` when it is of that kind. */
function run(...words: readonly string[]): Run {
  const stop = new AbortController();
  let text = '';
  const write = (more: string): void => void (text += more);
  const context = { stdout: write, stderr: write, env: {}, signal: stop.signal, exitCode: 0 };
  return { done: runProgram(words, context), stop: () => stop.abort(), text: () => text };
}

async function output(...words: readonly string[]): Promise<{ code: number; text: string }> {
  const { done, text } = run(...words);
  return { code: await done, text: text() };
}

async function put(url: string, body: unknown): Promise<void> {
  const response = await fetch(registry.url + url, { method: 'PUT', body: JSON.stringify(body) });
  expect(response.status).toBe(200);
}

const rs = (id: string, host: string) =>
  put('/v1/agent/service/register', { ID: id, Name: 'rs', Address: host, Port: 6379 });

describe('upsync resolve', () => {
  it('shows the ranked servers of a name, as text and as JSON', async () => {
    await rs('one', '10.0.0.1');
    const where = ['--consul', registry.url, '--idc', 'a'];
    const { code, text } = await output('resolve', 'rs.{idc}.6379', ...where);
    expect(text).toContain('rs.a.6379  live');
    expect(text).toMatch(/10\.0\.0\.1:6379\s+weight 1\s+100 %\s+passing/);
    expect(code).toBe(0);
    const json = JSON.parse((await output('resolve', 'rs.a.6379', '--json', ...where)).text);
    expect(json).toMatchObject({ name: 'rs.a.6379', servers: [{ address: '10.0.0.1:6379', share: 1 }] });
  });

  it('ends with 1 when there is no server, and says which part of a name is wrong', async () => {
    const where = ['--consul', registry.url, '--idc', 'a'];
    expect((await output('resolve', 'rs.a.6379', ...where)).code).toBe(1);
    const wrong = await output('resolve', 'rs.a.0', ...where);
    expect(wrong).toMatchObject({ code: 2 });
    expect(wrong.text).toContain('the port');
  });

  it('goes on with --watch', async () => {
    const { done, stop, text } = run(
      'resolve',
      'rs.a.6379',
      '--watch',
      '--consul',
      registry.url,
      '--idc',
      'a',
    );
    await expect.poll(text).toContain('live');
    await rs('one', '10.0.0.7');
    await expect.poll(text, { timeout: 5000 }).toContain('10.0.0.7:6379');
    stop();
    expect(await done).toBe(0);
  });
});

describe('upsync dns', () => {
  it('serves the names of a configuration, its schedules and its config service', async () => {
    await rs('one', '10.0.0.1');
    const folder = scratchFolder({
      'upsync.yaml': [
        'motan:',
        '  local: a',
        `  consul: ${registry.url}`,
        '  idcs: [{ name: a }, { name: b, registry: "http://127.0.0.1:9" }]',
        'dns: { listen: "127.0.0.1:0", suffix: names.example, ttl: 7 }',
        'config_service: { listen: "127.0.0.1:0" }',
        'schedules: ["always: a 70, b 30 from 00:00 to 24:00 UTC"]',
      ].join('\n'),
    });
    const conf = path.join(folder, 'upsync.yaml');
    const { done, stop, text } = run('dns', '-c', conf);
    await expect.poll(text, { timeout: 5000 }).toContain('traffic plans: *: always (a 70, b 30)');
    const port = Number(/dns listens on 127\.0\.0\.1:(\d+)/.exec(text())![1]);
    const reply = read(await askUdp(port, question('rs.a.6379.names.example', 'A')));
    expect(reply.answers).toMatchObject([{ data: '10.0.0.1', ttl: 7 }]);
    const url = /config service listens on (\S+)/.exec(text())![1]!;
    const nodes = await (await fetch(`${url}/naming/service?action=lookup&service=rs&cluster=a/6379`)).json();
    expect(nodes).toMatchObject({ body: { nodes: { working: [{ host: '10.0.0.1:6379' }] } } });
    stop();
    expect(await done).toBe(0);
    const week = await output('dns', '-c', conf, '--dry-run');
    expect(week.text).toMatch(/all names, times of UTC\n.*always: a 70, b 30/);
  });

  it.each([
    ['b 1 from 03:00 to 04:00 UTC', 'names "b", which is none of the IDCs: a'],
    ['a 1 from 03:00 to 04:00 UTC for rs.b.6379', 'names "b", which is none of the IDCs: a'],
  ])('does not print a week of %s, which could never be followed', async (plan, reason) => {
    const text = `motan: { local: a, idcs: [{ name: a }] }\nschedules: ["night: ${plan}"]`;
    const conf = path.join(scratchFolder({ 'upsync.yaml': text }), 'upsync.yaml');
    const week = await output('dns', '-c', conf, '--dry-run');
    expect(week).toMatchObject({ code: 1, text: expect.stringContaining(reason) as string });
  });

  it('says who holds the port', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    const { code, text } = await output(
      'dns',
      '--idc',
      'a',
      '--consul',
      registry.url,
      '--listen',
      `127.0.0.1:${port}`,
    );
    server.close();
    expect(code).toBe(1);
    expect(text).toContain('is in use by another process');
  });

  it('asks for the local IDC when nobody knows it', async () => {
    const { code, text } = await output('dns', '--consul', 'http://127.0.0.1:9');
    expect(code).toBe(2);
    expect(text).toContain('--idc');
  });
});

describe('upsync command', () => {
  it('previews, writes, shows and clears the command of a group', async () => {
    const provider = run(
      'register',
      'motan2://10.0.0.1:8002/com.S?group=rs.a&nodeType=service',
      '--consul',
      registry.url,
    );
    await expect.poll(provider.text, { timeout: 5000 }).toContain('is registered');
    await expect
      .poll(async () => (await output('command', 'show', 'rs.a', '--consul', registry.url)).text)
      .toContain('no command');
    const file = path.join(
      scratchFolder({
        'c.json': '{"clientCommandList":[{"index":1,"pattern":"*","mergeGroups":["rs.a:70","rs.b:30"]}]}',
      }),
      'c.json',
    );
    const preview = await output('command', 'preview', 'rs.a', file, '--consul', registry.url);
    expect(preview.text).toContain('rs.a: weight 70, 100.0 % of the traffic\n    10.0.0.1:8002');
    expect(preview.text).toContain('EMPTY_GROUP rs.b');
    expect(preview.code).toBe(1);
    expect((await output('command', 'set', 'rs.a', file, '--consul', registry.url)).code).toBe(0);
    expect((await output('command', 'show', 'rs.a', '--consul', registry.url)).text).toContain('rs.a:70');
    const names = ['--consul', registry.url, '--idc', 'a', '--idcs', 'a,b', '--mapping', 'motan:com.S'];
    const json = JSON.parse((await output('resolve', 'rs.a.8002', '--json', ...names)).text);
    expect(json.reasons).toContainEqual(expect.objectContaining({ code: 'COMMAND' }));
    expect((await output('command', 'clear', 'rs.a', '--consul', registry.url)).code).toBe(0);
    expect((await output('command', 'show', 'rs.a', '--consul', registry.url)).text).toContain('no command');
    expect((await output('command', 'set', 'rs.a')).code).toBe(2);
    provider.stop();
    expect(await provider.done).toBe(0);
  });
});

describe('upsync register', () => {
  it('keeps a service registered until it is stopped', async () => {
    const { done, stop, text } = run(
      'register',
      'rs',
      '--address',
      '10.0.0.3',
      '--port',
      '6379',
      '--weight',
      '20',
      '--consul',
      registry.url,
    );
    await expect.poll(text, { timeout: 5000 }).toContain('rs-10.0.0.3-6379 is registered');
    const health = async () =>
      (await (await fetch(`${registry.url}/v1/health/service/rs?passing`)).json()) as unknown[];
    await expect.poll(async () => (await health()).length).toBe(1);
    stop();
    expect(await done).toBe(0);
    expect(await health()).toEqual([]);
  });

  it.each([[['rs']], [['rs', '--port', '70000']], [['rs', '--port', '80', '--weight', '0']]])(
    'refuses %s',
    async (words) => {
      expect((await output('register', ...words)).code).toBe(2);
    },
  );
});
