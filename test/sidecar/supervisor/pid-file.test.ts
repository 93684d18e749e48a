import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  isAlive,
  readPidFile,
  removePidFile,
  startTime,
  writePidFile,
} from '../../../src/sidecar/supervisor/pid-file.ts';

describe('pid file', () => {
  let folder: string;
  let file: string;
  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'upsync-pid-'));
    file = path.join(folder, 'nginx.pid');
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('is written whole, as nginx writes it, and leaves no other file', () => {
    writePidFile(file, 4242);
    writePidFile(file, 4243);
    expect(readFileSync(file, 'utf8')).toBe('4243\n');
    expect(readPidFile(file)).toBe(4243);
    expect(readdirSync(folder)).toEqual(['nginx.pid']);
  });

  it('never replaces a device', () => {
    writePidFile('/dev/null', 4242);
    removePidFile('/dev/null', 4242);
    expect(statSync('/dev/null').isCharacterDevice()).toBe(true);
  });

  it.each([[''], ['abc'], ['0'], ['-5'], ['12 13'], ['99999999999']])(
    'holds no pid when it is %j',
    (text) => {
      writeFileSync(file, text);
      expect(readPidFile(file)).toBeUndefined();
    },
  );

  it('holds no pid when it is missing', () => {
    expect(readPidFile(file)).toBeUndefined();
  });

  it('is removed by the process it names only', () => {
    writePidFile(file, 4242);
    removePidFile(file, 4241);
    expect(readPidFile(file)).toBe(4242);
    removePidFile(file, 4242);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('fails when its folder is missing', () => {
    expect(() => writePidFile(path.join(folder, 'no', 'nginx.pid'), 1)).toThrow(/ENOENT/);
  });
});

describe('a pid', () => {
  it('is alive as long as its process is', () => {
    expect(isAlive(process.pid)).toBe(true);
    const ended = spawnSync('true');
    expect(isAlive(ended.pid)).toBe(false);
  });

  it('names one process for ever together with its start time', () => {
    expect(startTime(process.pid)).toMatch(/^\d+$/);
    expect(startTime(process.pid)).toBe(startTime(process.pid));
    expect(startTime(4_194_305)).toBeUndefined();
  });
});
