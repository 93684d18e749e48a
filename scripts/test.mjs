// Runs every kind of test in order, the quick ones first, and ends with one line `N passed, N failed`.
// `npm test -- unit lint` runs only the phases named. A phase that cannot run because something is missing on this
// machine says so; with UPSYNC_REQUIRE=all that is a failure.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { stripVTControlCharacters } from 'node:util';

const requireAll = process.env.UPSYNC_REQUIRE === 'all';
const scratch = mkdtempSync(path.join(tmpdir(), 'upsync-test-'));
const REASON_LINES = 12;
const REASON_WIDTH = 300;
const bin = (name) => path.join('node_modules', '.bin', name);
const total = { passed: 0, failed: 0 };
const summary = [];
/** What failed, by name and with the first lines of its reason: the end of a long log is what people read. */
const failures = [];

const PHASES = {
  lint: () =>
    checks('lint', [
      [bin('eslint'), ['.']],
      [bin('prettier'), ['--check', '--log-level', 'warn', '.']],
    ]),
  types: () => checks('types', [[bin('tsc'), ['--noEmit', '-p', 'tsconfig.test.json']]]),
  unit: () => vitest('unit', process.execPath),
  contract: () => (withServers('contract'), consul() && vitest('contract', process.execPath)),
  integration: () => withServers('integration') && consul() && vitest('integration', process.execPath),
  acceptance: () => withServers('acceptance') && tap(),
  package: () => checks('package', [[bin('publint'), ['--strict']]]),
  'node-22': () => requireAll && vitest('unit', 'node@22'),
  'node-24': () => requireAll && vitest('unit', 'node@24'),
};

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !(name in PHASES));
if (unknown.length > 0) {
  console.error(`no such phase: ${unknown.join(', ')}; there are ${Object.keys(PHASES).join(', ')}`);
  process.exit(2);
}
const began = Date.now();
for (const name of wanted.length > 0 ? wanted : Object.keys(PHASES)) {
  console.log(`\n== ${name} (${seconds(began)} s so far)`);
  await PHASES[name]();
}
rmSync(scratch, { recursive: true, force: true });
console.log(`\n== all phases, ${seconds(began)} s`);
for (const line of summary) console.log(`   ${line}`);
if (failures.length > 0) console.log('\n== what failed');
for (const line of failures) console.log(`   ${line}`);
console.log(`\n${total.passed} passed, ${total.failed} failed`);
process.exit(total.failed > 0 || total.passed === 0 ? 1 : 0);

function seconds(since) {
  return Math.round((Date.now() - since) / 1000);
}

function count(name, passed, failed, since) {
  total.passed += passed;
  total.failed += failed;
  summary.push(`${name}: ${passed} passed, ${failed} failed, ${seconds(since)} s`);
}

function run(command, args, options = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit'], ...options });
    child.on('error', (error) => (console.error(`${command}: ${error.message}`), resolve(127)));
    child.on('close', (code) => resolve(code ?? 1));
  });
}

async function checks(name, commands) {
  const since = Date.now();
  for (const [command, args] of commands) {
    const code = await run(command, args);
    count(`${name} (${path.basename(command)})`, code === 0 ? 1 : 0, code === 0 ? 0 : 1, since);
  }
}

async function vitest(project, node) {
  const since = Date.now();
  const file = path.join(scratch, `${project}-${path.basename(node)}.json`);
  const args = ['node_modules/vitest/vitest.mjs', '--run', '--project', project];
  args.push('--reporter=default', '--reporter=json', `--outputFile.json=${file}`);
  const code = node.startsWith('node@')
    ? await run('npx', ['--yes', '-p', node, '--', 'node', ...args])
    : await run(node, args);
  const report = existsSync(file)
    ? JSON.parse(readFileSync(file, 'utf8'))
    : { numPassedTests: 0, numFailedTests: 0 };
  for (const file of report.testResults ?? []) noteFailures(project, file);
  // A file that does not even load has no failed test of its own: the exit code still counts.
  const failed = report.numFailedTests || (code === 0 ? 0 : 1);
  count(node.startsWith('node@') ? `${project} on ${node}` : project, report.numPassedTests, failed, since);
}

function noteFailures(project, { name, status, message, assertionResults }) {
  const file = path.relative('.', name);
  const failed = assertionResults.filter((test) => test.status === 'failed');
  for (const test of failed) note(`${project} ${file}: ${test.fullName}`, test.failureMessages.join('\n'));
  if (status === 'failed' && failed.length === 0) note(`${project} ${file}`, message);
}

function note(what, reason) {
  const lines = stripVTControlCharacters(reason)
    .split('\n')
    .filter((line) => !line.includes('node_modules'))
    .slice(0, REASON_LINES);
  failures.push(what, ...lines.map((line) => `   ${line.slice(0, REASON_WIDTH)}`));
}

async function tap() {
  for (const file of readdirSync('test/acceptance')
    .filter((name) => name.endsWith('.tap.ts'))
    .sort()) {
    const since = Date.now();
    const output = path.join(scratch, `${file}.tap`);
    const args = ['run', '--disable-coverage', '--allow-empty-coverage', '--jobs=1', '--timeout=300'];
    const code = await run(bin('tap'), [
      ...args,
      `--output-file=${output}`,
      path.join('test/acceptance', file),
    ]);
    const text = existsSync(output) ? readFileSync(output, 'utf8') : '';
    const unmet = new Set(text.match(/^\s+not ok \d+ - .*/gm) ?? []);
    if (code !== 0) note(`acceptance ${file}`, [...unmet].map((line) => line.trim()).join('\n'));
    const passed = (text.match(/^\s+ok \d+/gm) ?? []).length;
    const failed = (text.match(/^\s+not ok \d+/gm) ?? []).length || (code === 0 ? 0 : 1);
    count(`acceptance ${file}`, passed, failed, since);
  }
}

/** Whether real nginx with Lua is here; without it the phases that drive it are left out, or fail when all is required. */
function withServers(phase) {
  const nginx = process.env.UPSYNC_NGINX ?? 'nginx';
  const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` };
  if (spawnSync(nginx, ['-v'], { env }).status === 0) return true;
  console.log(`${phase}: no nginx on this machine, so the tests that drive it do not run.`);
  if (requireAll) count(`${phase} (nginx)`, 0, 1, Date.now());
  return false;
}

/** The real Consul: found on PATH, or built once where Go is present. */
function consul() {
  const built = spawnSync(process.execPath, ['test/helpers/build-consul.mjs'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (built.status === 0) return true;
  console.log('no real Consul: the contract suite runs on the embedded registry alone.');
  if (requireAll) count('real consul', 0, 1, Date.now());
  return true;
}
