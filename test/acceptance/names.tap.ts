import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { until } from '../helpers/upsync-nginx.ts';
import { freePort } from '../helpers/ports.ts';

// Names as an operator has them: two IDCs with a registry and a server each, `upsync run` without any nginx, and dig.
const PROGRAM = path.resolve(import.meta.dirname, '../../dist/sidecar/main.js');
const HOSTS = { a: '127.0.1.1', b: '127.0.2.1' } as const;
const run = promisify(execFile);

await t.test('upsync run serves names through changes and losses', { timeout: 120_000 }, async (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'upsync-names-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const file = path.join(folder, 'upsync.yaml');
  const snapshots = path.join(folder, 'snapshots');
  const ports = { a: await freePort(), b: await freePort(), dns: await freePort() };

  const start = (...words: readonly string[]) => {
    const child = spawn(process.execPath, [PROGRAM, ...words], { stdio: ['ignore', 'ignore', 'pipe'] });
    const started = { child, log: '' };
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => (started.log += chunk));
    t.teardown(() => void child.kill('SIGKILL'));
    return started;
  };
  const end = async (child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> => {
    const gone = once(child, 'exit');
    child.kill(signal);
    await gone;
    return child.exitCode;
  };
  // Real servers: one whose registry is silent is tried itself.
  const port = await listenOn(t, HOSTS.a, 0);
  await listenOn(t, HOSTS.b, port);
  const name = `rs.a.${port}`;
  const registries = {
    a: start('registry', '--listen', `127.0.0.1:${ports.a}`),
    b: start('registry', '--listen', `127.0.0.1:${ports.b}`),
  };
  for (const idc of ['a', 'b'] as const) {
    const body = JSON.stringify({ ID: idc, Name: 'rs', Address: HOSTS[idc], Port: port });
    await until(async () => {
      const url = `http://127.0.0.1:${ports[idc]}/v1/agent/service/register`;
      return (await fetch(url, { method: 'PUT', body }).catch(() => undefined))?.ok === true;
    });
  }
  const configure = (...more: readonly string[]): void =>
    writeFileSync(
      file,
      [
        'motan:',
        '  local: a',
        `  consul: http://127.0.0.1:${ports.a}`,
        `  snapshots: ${snapshots}`,
        `  idcs: [{ name: a }, { name: b, registry: "http://127.0.0.1:${ports.b}" }]`,
        `dns: { listen: "127.0.0.1:${ports.dns}" }`,
        ...more,
      ].join('\n'),
    );
  const dig = async (...words: readonly string[]): Promise<string> => {
    const asked = ['@127.0.0.1', '-p', String(ports.dns), '+tries=1', '+time=2', ...words];
    return (await run('dig', asked).catch((error: { stdout: string }) => error)).stdout.trim();
  };
  const answers = (host: string) => until(async () => (await dig('+short', name)) === host);

  configure();
  const sidecar = start('run', '-c', file);
  await answers(HOSTS.a);
  t.match(sidecar.log, /"dns":"127\.0\.0\.1:\d+".*"msg":"names_served"/, 'says what it serves');
  t.match(await dig(`${name}.idc.local`, 'SRV'), new RegExp(`SRV\\s+0 1 ${port} 7f000101`), 'SRV too');
  t.match(await dig('rs.mars.1'), 'status: NXDOMAIN');

  configure('schedules: ["always: b 1 from 00:00 to 24:00 UTC"]');
  await answers(HOSTS.b);
  t.pass('a plan that is added to the file moves the traffic');
  configure('schedules: ["always: mars 1 from 00:00 to 24:00 UTC"]');
  await until(() => sidecar.log.includes('configuration_refused'));
  t.match(sidecar.log, 'none of the IDCs: a, b in ', 'a plan for nowhere is refused with file and line');
  t.equal(await dig('+short', name), HOSTS.b, 'and the one before goes on');
  configure();
  await answers(HOSTS.a);

  await until(() => existsSync(snapshots) && readdirSync(snapshots).length > 0);
  for (const { child } of Object.values(registries)) await end(child, 'SIGKILL');
  t.equal(await dig('+short', name), HOSTS.a, 'answers go on without any registry');
  t.equal(await end(sidecar.child, 'SIGTERM'), 0, 'TERM ends it in order');
  t.match(await dig(name), /timed out|connection refused|no servers/i, 'nothing listens then');

  const second = start('run', '-c', file);
  await answers(HOSTS.a);
  t.pass('a start without any registry answers from the snapshots on disk');
  t.equal(await end(second.child, 'SIGTERM'), 0);
});

async function listenOn(t: { teardown(end: () => void): void }, host: string, port: number): Promise<number> {
  const server = createServer((socket) => socket.destroy()).listen(port, host);
  await once(server, 'listening');
  t.teardown(() => void server.close());
  return (server.address() as { port: number }).port;
}
