// npm run build: TypeScript to dist/, the workers' TypeScript to Lua, and the files that are copied as they are.
// Does nothing, in a few milliseconds, when no input changed since the last good build.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';

process.chdir(path.join(import.meta.dirname, '..'));

const STAMP = 'dist/.build-stamp';
const LUA = 'scripts/build-lua.mjs';
const LUA_SOURCES = /^src\/(balancer|upstream|upsync\/nginx\/worker)\//;
const PROGRAMS = ['dist/sidecar/main.js', 'dist/sidecar/nginx.js'];

const sources = list('src');
const settings = ['package-lock.json', 'tsconfig.json', 'tsconfig.lua.json', 'scripts/build.mjs', LUA].filter(
  (file) => existsSync(file),
);
const now = {
  all: fingerprint([...sources, ...settings]),
  lua: fingerprint([...sources.filter((file) => LUA_SOURCES.test(file)), ...settings]),
};
const before = readStamp();
// Every output and not only the programs: the compiler believes its memory, not the folder.
const outputs = sources
  .filter((file) => /\.ts$/.test(file) && !/\.d\.ts$|^src\/upsync\/nginx\/worker\//.test(file))
  .map((file) => path.join('dist', path.relative('src', file).replace(/\.ts$/, '.js')));
const complete = [...PROGRAMS, ...outputs].every((file) => existsSync(file));
if (complete && before.all === now.all) process.exit(0);

const failed = [];
run('TypeScript', 'node_modules/typescript/bin/tsc', ['-p', 'tsconfig.json', ...incremental()]);
if (existsSync(LUA) && (before.lua !== now.lua || !existsSync('dist/lua/upsync.lua'))) run('Lua', LUA, []);
copyAssets();
removeOrphans();
for (const file of PROGRAMS) if (existsSync(file)) chmodSync(file, 0o755);
if (failed.length > 0) {
  rmSync(STAMP, { force: true });
  console.error(`build: ${failed.join(' and ')} failed`);
  process.exit(1);
}
mkdirSync('dist', { recursive: true });
writeFileSync(STAMP, JSON.stringify(now));

function run(what, script, args) {
  if (spawnSync(process.execPath, [script, ...args], { stdio: 'inherit' }).status !== 0) failed.push(what);
}

// The compiler's memory lies outside dist/, so that it is not packed; it is of no use when dist/ was removed.
function incremental() {
  const info = 'node_modules/.cache/upsync-build.tsbuildinfo';
  if (!complete) rmSync(info, { force: true });
  return ['--incremental', '--tsBuildInfoFile', info];
}

function copyAssets() {
  for (const file of sources.filter((name) => !/\.(ts|md)$/.test(name))) {
    const to = path.join('dist', path.relative('src', file));
    mkdirSync(path.dirname(to), { recursive: true });
    copyFileSync(file, to);
  }
}

// A renamed source must not live on in dist/, where an import of the old name would still find it.
function removeOrphans() {
  if (!existsSync('dist')) return;
  for (const file of list('dist')) {
    const name = path.relative('dist', file);
    if (/^(lua\/|\.build-stamp$)/.test(name)) continue;
    const stem = name.replace(/(\.d\.ts|\.js)(\.map)?$/, '');
    if (!existsSync(`src/${stem}.ts`) && !existsSync(`src/${name}`)) rmSync(file);
  }
}

function list(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name))
    .sort();
}

function fingerprint(files) {
  const hash = createHash('sha256');
  for (const file of files) {
    const { mtimeMs, size } = statSync(file);
    hash.update(`${file} ${mtimeMs} ${size}\n`);
  }
  return hash.digest('hex');
}

function readStamp() {
  try {
    return JSON.parse(readFileSync(STAMP, 'utf8'));
  } catch {
    return {};
  }
}
