import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';

// `npm start` as a newcomer would: a bare clone in an empty folder, nothing installed in it.
const ROOT = path.resolve(import.meta.dirname, '../..');
const START_BOUND_MS = 240_000;

void t.test('npm start on a bare clone', { timeout: 300_000 }, async (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'upsync-clone-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const clone = path.join(folder, 'upsync');
  t.equal(spawnSync('git', ['clone', '--quiet', ROOT, clone]).status, 0, 'clones');
  const start = spawn('npm', ['start'], { cwd: clone, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  start.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
  start.stderr.on('data', (chunk: Buffer) => (text += chunk.toString()));
  const ended = new Promise<number | null>((resolve) => start.once('exit', resolve));
  t.teardown(() => {
    if (start.exitCode === null && start.signalCode === null) process.kill(-start.pid!, 'SIGKILL');
  });

  t.ok(await until(() => text.includes('Ctrl-C ends everything'), START_BOUND_MS), 'prints the tour');
  const proxy = /http:\/\/127\.0\.0\.1:(\d+)\/ {2,}configuration/.exec(text)?.[1];
  const added = /add a server\s+curl -X PUT -d '([^']+)' (\S+)/.exec(text);
  if (proxy === undefined || added === null) return t.fail(`the tour names its places:\n${text}`);

  t.match(await (await fetch(`http://127.0.0.1:${proxy}/`)).text(), 'served by 127.0.0.1:', 'nginx serves');
  const put = await fetch(added[2]!, { method: 'PUT', body: added[1]! });
  t.equal(await put.text(), 'true', 'the command that adds a server works as printed');
  t.ok(await until(() => text.includes('Backend server count: 4'), 10_000), 'and the change is printed');

  const second = spawn(process.execPath, [path.join(clone, 'dist/sidecar/main.js'), 'demo'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let other = '';
  second.stdout.on('data', (chunk: Buffer) => (other += chunk.toString()));
  t.ok(await until(() => other.includes('Ctrl-C ends everything'), 30_000), 'a second one starts beside it');
  t.match(other, /port \d+ is in use, so the \w+ uses \d+/, 'and says which ports it took instead');
  second.kill('SIGINT');
  t.equal(await new Promise((resolve) => second.once('exit', resolve)), 0, 'and ends in order');

  process.kill(-start.pid!, 'SIGINT');
  await ended;
  t.ok(
    await until(() => processesIn(clone).length === 0, 10_000),
    `Ctrl-C leaves no process behind: ${processesIn(clone).join('; ')}`,
  );
  t.equal(await accepts(Number(proxy)), false, 'and nothing listens');
  t.same(
    readdirSync(tmpdir()).filter((name) => name.startsWith('upsync-demo-') && text.includes(name)),
    [],
    'and no file',
  );
});

async function until(condition: () => boolean, boundMs: number): Promise<boolean> {
  const end = Date.now() + boundMs;
  while (Date.now() < end) {
    if (condition()) return true;
    await delay(100);
  }
  return condition();
}

function processesIn(folder: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        return `${pid} ${readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')}`;
      } catch {
        return ''; // It ended while we looked.
      }
    })
    .filter((line) => line.includes(folder));
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => (socket.destroy(), resolve(true)));
    socket.once('error', () => resolve(false));
  });
}
