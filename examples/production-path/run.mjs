// A whole production path on one machine, and what happens when an IDC is lost:
//
//     VIP nginx (upsync nginx) → API in a and b → service user.{idc} by Motan name → Redis rs.a.PORT
//
// in IDCs a (127.0.1.1), b (127.0.2.1) and cloud (127.0.3.1), each with a registry of its own. After a few seconds everything
// in IDC a is killed, some seconds later it comes back. Needs nginx with its Lua module and redis-server.
//
//     npm run build && node examples/production-path/run.mjs
//     npm run build && node examples/production-path/run.mjs --consul http://127.0.0.1:8500
//
// With --consul everything registers in that Consul instead, which then stands for all IDCs and is not killed; what was registered
// there is taken out at the end. Ends with 0 when all moved and came back and no request failed but those in flight at the kill.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';

const HERE = import.meta.dirname;
const PROGRAM = path.join(HERE, '../../dist/sidecar/main.js');
if (!existsSync(PROGRAM)) {
  console.error('run "npm run build" first');
  process.exit(1);
}
const { createEmbeddedRegistry } = await import('../../dist/discovery/index.js');
const { IDCS, registryOf, serviceNames } = await import('./lib.mjs');

const CLIENTS = 4;
const STEP_MS = 4000;
const BOUND_MS = 90_000;
const started = Date.now();
const say = (text) => console.log(`${((Date.now() - started) / 1000).toFixed(1).padStart(5)} s  ${text}`);
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const { consul } = parseArgs({ options: { consul: { type: 'string' } } }).values;
/** What every process of the example is told. */
const setup = { consul, mark: consul === undefined ? '' : `-example-${process.pid}`, ports: {}, edge: '' };
const { ports } = setup;
const names = serviceNames(setup);
const folder = mkdtempSync(path.join(tmpdir(), 'upsync-path-'));
/** Every process started here, by what it is. They are ended by these handles and nothing else. */
const children = new Map();
let isEnding = false;

const bound = setTimeout(() => void end(1, `it took longer than ${BOUND_MS / 1000} s`), BOUND_MS);
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => void end(1, `stopped by ${signal}`));

main().catch((error) => end(1, error.stack));

async function main() {
  for (const what of ['registry', 'redis', 'user', 'api'])
    ports[what] = await freePort(Object.values(IDCS), ports);
  ports.vip = await freePort(['127.0.0.1'], ports);
  // The registry of the VIP; in production that is Consul as well.
  const edge = consul === undefined ? await createEmbeddedRegistry({ listen: '127.0.0.1:0' }) : undefined;
  setup.edge = consul ?? edge.url;
  await Promise.all(Object.keys(IDCS).map((idc) => startIdc(idc)));
  writeFileSync(path.join(folder, 'nginx.conf'), nginxConf());
  start('nginx', process.execPath, [PROGRAM, 'nginx', '-c', path.join(folder, 'nginx.conf'), '-p', folder]);
  await answers('127.0.0.1', ports.vip);
  say(`everything runs; http://127.0.0.1:${ports.vip}/ is the VIP`);

  const load = startLoad(ports.vip);
  await until(() => load.recent('a') > 0 && load.recent('b') > 0, 'traffic through a and b');
  await phase(load, 'all is well');
  const killed = Date.now();
  const before = load.open;
  await killIdc('a');
  const dead = Date.now();
  const lost = consul === undefined ? 'API, service, Redis, registry' : 'API, service, Redis';
  say(`IDC a is killed (${lost}); ${before} requests were in flight at the first kill`);
  await phase(load, 'without IDC a');
  const without = await settle(
    load,
    ({ api, user, redis }) => ![api, user, redis].includes('a'),
    'traffic away from a',
  );
  await startIdc('a');
  say('IDC a is back');
  await settle(load, ({ redis }) => redis === 'a', 'Redis of a in use again');
  await until(() => load.recent('a') > 0, 'traffic through a again');
  await phase(load, 'IDC a is back');
  await load.stop();

  // In flight is what began before the last process of a was dead.
  const beyond = load.failures.filter(({ since, at }) => since > dead || at < killed);
  say(
    `${load.count} requests, ${load.failures.length} failed, ${beyond.length} of them not in flight at the kill`,
  );
  for (const { at, why } of load.failures) say(`  failed ${at - killed} ms after the kill: ${why}`);
  const isGood = beyond.length === 0 && without;
  await edge?.close();
  await end(isGood ? 0 : 1, isGood ? 'good: everything moved and came back' : 'NOT good');
}

async function startIdc(idc) {
  const host = IDCS[idc];
  start(`${idc} redis`, 'redis-server', [
    ...['--bind', host, '--port', String(ports.redis), '--save', '', '--appendonly', 'no'],
    ...['--protected-mode', 'no', '--dir', folder],
  ]);
  if (consul === undefined) {
    start(`${idc} registry`, process.execPath, [
      PROGRAM,
      'registry',
      '--listen',
      `${host}:${ports.registry}`,
    ]);
    await answers(host, ports.registry);
  }
  await answers(host, ports.redis);
  await redisSet(host, ports.redis, 'idc', idc);
  await put(registryOf(idc, setup), '/v1/agent/service/register', {
    ID: redisId(idc),
    Name: consul === undefined ? names.rs : `${names.rs}-${idc}`,
    Address: host,
    Port: ports.redis,
    Weights: { Passing: 20, Warning: 1 },
  });
  start(`${idc} user`, process.execPath, [path.join(HERE, 'user.mjs'), idc, JSON.stringify(setup)], 'ipc');
  await answers(host, ports.user);
  if (idc === 'cloud') return;
  start(`${idc} api`, process.execPath, [path.join(HERE, 'api.mjs'), idc, JSON.stringify(setup)], 'ipc');
  await answers(host, ports.api);
}

const redisId = (idc) => `${names.rs}-${idc}`;

async function killIdc(idc) {
  const own = [...children].filter(([name]) => name.startsWith(`${idc} `));
  await Promise.all(own.map(([name, child]) => stop(name, child, 'SIGKILL')));
}

function start(name, command, words, ...stdio) {
  const child = spawn(command, words, { stdio: ['ignore', 'ignore', 'pipe', ...stdio] });
  children.set(name, child);
  let errors = '';
  child.stderr.on('data', (chunk) => (errors = (errors + chunk).slice(-2000)));
  child.once('error', (error) => void end(1, `${name} cannot be started: ${error.message}`));
  child.once('exit', (code, signal) => {
    if (children.get(name) === child && !isEnding)
      void end(1, `${name} ended (${code ?? signal}):\n${errors}`);
  });
}

async function stop(name, child, signal) {
  children.delete(name);
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill(signal);
  const late = setTimeout(() => child.kill('SIGKILL'), 6000);
  await gone;
  clearTimeout(late);
}

/** Clients that ask the VIP one request after the other, and keep count of who answered. */
function startLoad(port) {
  const agent = new Agent({ keepAlive: true, maxSockets: CLIENTS });
  const load = {
    count: 0,
    open: 0,
    failures: [],
    paths: new Map(),
    last: [],
    stop: undefined,
    recent: undefined,
  };
  let isOn = true;
  const client = async () => {
    while (isOn) {
      const since = Date.now();
      load.open++;
      try {
        const reply = await get(port, agent);
        const key = `api ${reply.api} → user ${reply.user} → redis ${reply.redis}`;
        load.paths.set(key, (load.paths.get(key) ?? 0) + 1);
        load.last.push({ at: Date.now(), ...reply });
        if (load.last.length > 200) load.last.shift();
      } catch (error) {
        load.failures.push({ since, at: Date.now(), why: error.message });
      }
      load.open--;
      load.count++;
      await sleep(10);
    }
  };
  const clients = Array.from({ length: CLIENTS }, client);
  load.recent = (idc) => load.last.filter(({ at, api }) => at > Date.now() - 1000 && api === idc).length;
  load.stop = async () => {
    isOn = false;
    await Promise.all(clients);
    agent.destroy();
  };
  return load;
}

async function phase(load, title) {
  load.paths.clear();
  await sleep(STEP_MS);
  say(title);
  for (const [key, count] of [...load.paths].sort()) say(`  ${String(count).padStart(5)}  ${key}`);
}

/** Waits until a whole second of answers fits. */
async function settle(load, fits, what) {
  await until(() => {
    const recent = load.last.filter(({ at }) => at > Date.now() - 1000);
    return recent.length > 10 && recent.every(fits);
  }, what);
  say(`seen: ${what}`);
  return true;
}

async function until(test, what) {
  const late = Date.now() + 20_000;
  while (!test()) {
    if (Date.now() > late) throw new Error(`not seen within 20 s: ${what}`);
    await sleep(50);
  }
}

function get(port, agent) {
  return new Promise((resolve, reject) => {
    const outgoing = request({ host: '127.0.0.1', port, agent, timeout: 5000 }, (reply) => {
      let text = '';
      reply.setEncoding('utf8');
      reply.on('data', (chunk) => (text += chunk));
      reply.on('error', reject);
      reply.on('end', () =>
        reply.statusCode === 200
          ? resolve(JSON.parse(text))
          : reject(new Error(`status ${reply.statusCode}`)),
      );
    });
    outgoing.on('timeout', () => outgoing.destroy(new Error('no answer within 5 s')));
    outgoing.on('error', reject);
    outgoing.end();
  });
}

function nginxConf() {
  return `worker_processes 2;
daemon off;
pid nginx.pid;
error_log error.log;
events { worker_connections 1024; }
http {
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    upstream api {
        upsync ${new URL(setup.edge).host}/v1/health/service/${names.api} upsync_type=consul_health upsync_interval=200ms upsync_timeout=6m strong_dependency=off;
        upsync_dump_path servers_api.conf;
        server ${IDCS.a}:${ports.api};
        server ${IDCS.b}:${ports.api};
        keepalive 32;
    }
    server {
        listen 127.0.0.1:${ports.vip};
        location / {
            proxy_pass http://api;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_connect_timeout 1s;
            proxy_next_upstream error timeout http_502 http_503;
        }
    }
}
`;
}

async function put(registry, url, body) {
  const reply = await fetch(registry + url, { method: 'PUT', body: JSON.stringify(body) });
  if (!reply.ok) throw new Error(`PUT ${url}: ${reply.status}`);
}

function redisSet(host, port, key, value) {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port }, () => socket.write(`SET ${key} ${value}\r\n`));
    socket.once('error', reject);
    socket.once('data', () => {
      socket.destroy();
      resolve();
    });
  });
}

async function answers(host, port) {
  for (let turn = 0; turn < 300; turn++) {
    const isOpen = await new Promise((resolve) => {
      const socket = connect({ host, port });
      socket.once('error', () => resolve(false));
      socket.once('connect', () => {
        socket.destroy();
        resolve(true);
      });
    });
    if (isOpen) return;
    await sleep(50);
  }
  throw new Error(`nothing listens on ${host}:${port}`);
}

/** A port that is free on all the hosts and not yet taken by `others`. */
async function freePort(hosts, others) {
  for (let turn = 0; turn < 500; turn++) {
    // Below the ports of outgoing connections, one of which could take it while its server is away.
    const port = 12_000 + Math.floor(Math.random() * 20_000);
    if (Object.values(others).includes(port)) continue;
    const free = await Promise.all(hosts.map((host) => isFree(host, port)));
    if (free.every(Boolean)) return port;
  }
  throw new Error(`no port is free on ${hosts.join(', ')}`);
}

function isFree(host, port) {
  return new Promise((resolve) => {
    const server = createServer().once('error', () => resolve(false));
    server.listen(port, host, () => server.close(() => resolve(true)));
  });
}

async function end(code, text) {
  if (isEnding) return;
  isEnding = true;
  clearTimeout(bound);
  say(text);
  await Promise.all([...children].map(([name, child]) => stop(name, child, 'SIGTERM')));
  // Services take their own registrations out; those of Redis are ours, and so are those of services that were killed.
  if (consul !== undefined)
    await forget().catch((error) => say(`not all is taken out of Consul: ${error.message}`));
  rmSync(folder, { recursive: true, force: true });
  process.exit(code);
}

async function forget() {
  const known = await (await fetch(`${consul}/v1/agent/services`)).json();
  for (const [id, { Service }] of Object.entries(known))
    if (setup.mark !== '' && Service.includes(setup.mark))
      await put(consul, `/v1/agent/service/deregister/${encodeURIComponent(id)}`);
}
