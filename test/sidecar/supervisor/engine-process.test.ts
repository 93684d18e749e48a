import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, expect, it, vi } from 'vitest';
import type { EngineConfig } from '../../../src/sidecar/engine-config.ts';
import { EngineProcess } from '../../../src/sidecar/supervisor/engine-process.ts';
import { isAlive } from '../../../src/sidecar/supervisor/pid-file.ts';
import type { Logger } from '../../../src/upstream/logger.ts';
import { scratchFolder } from '../../helpers/scratch-folder.ts';

const config: EngineConfig = { plans: [], logLevel: 'info' };
const running: EngineProcess[] = [];
afterEach(async () => {
  for (const engine of running.splice(0)) await engine.stop();
});

function engine(body: string): {
  engine: EngineProcess;
  folder: string;
  events: string[];
  log: () => string;
} {
  const folder = scratchFolder();
  const program = path.join(folder, 'engine.mjs');
  const log = path.join(folder, 'log');
  writeFileSync(log, '');
  writeFileSync(
    program,
    `import { appendFileSync } from 'node:fs'; const say = (text) => appendFileSync(${JSON.stringify(log)}, text + '\\n');
    say('start ' + process.pid); ${body}`,
  );
  const events: string[] = [];
  const note = (_fields: object, event: string): void => void events.push(event);
  const logger: Logger = { debug: note, info: note, warn: note, error: note };
  const process = new EngineProcess({
    program,
    configFile: path.join(folder, 'engine.json'),
    logger,
    stderr: () => 'inherit',
    minDelayMs: 10,
    maxDelayMs: 40,
  });
  running.push(process);
  return { engine: process, folder, events, log: () => readFileSync(log, 'utf8') };
}

it('starts an engine again that dies', async () => {
  const { engine: one, events, log } = engine('process.exit(3);');
  one.configure(config);
  await vi.waitFor(() => expect(log().match(/start/g)!.length).toBeGreaterThanOrEqual(3), 5000);
  expect(events).toContain('engine_died');
});

it('hands a running engine its new configuration by HUP, in a file for its owner alone', async () => {
  const {
    engine: one,
    folder,
    log,
  } = engine("process.on('SIGHUP', () => say('hup')); setInterval(() => {}, 1e6);");
  one.configure(config);
  await vi.waitFor(() => expect(log()).toContain('start'), 5000);
  one.configure({ ...config, logLevel: 'debug' });
  await vi.waitFor(() => expect(log()).toContain('hup'), 5000);
  expect(JSON.parse(readFileSync(path.join(folder, 'engine.json'), 'utf8'))).toEqual({
    plans: [],
    logLevel: 'debug',
  });
});

it('ends one that does not want to, and starts no other', async () => {
  const { engine: one, log } = engine(
    "process.on('SIGTERM', () => say('term')); setInterval(() => {}, 1e6);",
  );
  one.configure(config);
  await vi.waitFor(() => expect(log()).toContain('start'), 5000);
  const pid = one.pid!;
  await one.stop();
  expect(log()).toContain('term');
  expect(isAlive(pid)).toBe(false);
  one.configure(config);
  expect(one.pid).toBeUndefined();
});
