// Finds or builds a real Consul and prints its path, for the contract suite, the integration tests and CI.
//
//   node test/helpers/build-consul.mjs          prints the path of a consul binary, building one if need be
//   node test/helpers/build-consul.mjs --find   the same without building: exit code 3 when there is none yet
//
// Order: CONSUL_BIN, `consul` on PATH, the cache, a build from test/consul with Go (some minutes, once).
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { accessSync, constants, mkdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const MODULE = fileURLToPath(new URL('../consul/', import.meta.url));
const PROGRESS_MS = 30_000;

/** The path of a consul binary that exists already, or undefined. Throws when CONSUL_BIN names no program. */
export function findConsul() {
  const given = process.env.CONSUL_BIN;
  if (given) {
    if (isProgram(given)) return given;
    throw new Error(`CONSUL_BIN is ${given}, which is no program`);
  }
  const onPath = (process.env.PATH ?? '')
    .split(delimiter)
    .filter(Boolean)
    .map((folder) => join(folder, 'consul'))
    .find(isProgram);
  if (onPath) return onPath;
  const cached = cachedPath();
  return isProgram(cached) ? cached : undefined;
}

/** Builds Consul into the cache unless it is there, and gives its path. Rejects when Go is missing or the build fails. */
export async function buildConsul(log = (line) => process.stderr.write(`${line}\n`)) {
  const found = findConsul();
  if (found) return found;
  const go = spawnSync('go', ['version'], { encoding: 'utf8' });
  if (go.status !== 0)
    throw new Error('there is no consul on PATH and no Go toolchain to build one: install either');
  const target = cachedPath();
  const folder = join(target, '..');
  mkdirSync(folder, { recursive: true });
  const unfinished = join(folder, `consul.${process.pid}`);
  log(`building consul ${consulVersion()} with ${go.stdout.trim()}; this takes some minutes, once`);
  const started = Date.now();
  const timer = setInterval(
    () => log(`still building consul, ${Math.round((Date.now() - started) / 1000)} s so far`),
    PROGRESS_MS,
  );
  try {
    await run('go', ['build', '-p', '2', '-trimpath', '-ldflags', '-s -w', '-o', unfinished, '.']);
    renameSync(unfinished, target);
  } finally {
    clearInterval(timer);
    rmSync(unfinished, { force: true });
  }
  const seconds = Math.round((Date.now() - started) / 1000);
  log(`built ${target} in ${seconds} s, ${Math.round(statSync(target).size / 1e6)} MB`);
  return target;
}

function run(command, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: MODULE,
      stdio: ['ignore', 2, 2],
      env: { ...process.env, GOFLAGS: '-mod=readonly', GOMAXPROCS: '2' },
    });
    child.once('error', reject);
    child.once('exit', (code, signal) =>
      code === 0 ? resolve() : reject(new Error(`${command} build ended with ${signal ?? code}`)),
    );
  });
}

function cachedPath() {
  const hash = createHash('sha256');
  for (const name of ['go.mod', 'go.sum', 'main.go']) hash.update(readFileSync(join(MODULE, name)));
  hash.update(`${process.platform}/${process.arch}`);
  const base = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
  const name = `consul-${consulVersion()}-${hash.digest('hex').slice(0, 12)}`;
  return join(base, 'upsync', name, 'consul');
}

function consulVersion() {
  const line = /hashicorp\/consul v(\S+)/.exec(readFileSync(join(MODULE, 'go.mod'), 'utf8'));
  return line?.[1] ?? 'unknown';
}

function isProgram(path) {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

if (process.argv[1] && fileURLToPath(import.meta.url) === process.argv[1]) {
  try {
    const path = process.argv.includes('--find') ? findConsul() : await buildConsul();
    if (path) console.log(path);
    else process.exitCode = 3;
  } catch (error) {
    console.error(error.message);
    process.exitCode = 1;
  }
}
