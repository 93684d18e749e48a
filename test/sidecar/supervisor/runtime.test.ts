import { existsSync, mkdirSync, readdirSync, rmdirSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  claimBase,
  leaveBase,
  listRuntimes,
  removeStale,
  runtimeBase,
  runtimeFor,
} from '../../../src/sidecar/supervisor/runtime.ts';
import { identify, isRunning, readState, writeState } from '../../../src/sidecar/supervisor/state-file.ts';
import { scratchFolder } from '../../helpers/scratch-folder.ts';

describe('the runtime directory', () => {
  it.each([
    [{ UPSYNC_RUNTIME_DIR: '/x/y' }, 0, '/x/y'],
    [{}, 0, '/run/upsync'],
    [{ XDG_RUNTIME_DIR: '/run/user/7' }, 7, '/run/user/7/upsync'],
    [{ XDG_RUNTIME_DIR: 'relative' }, 7, '/tmp/upsync-7'],
    [{ UPSYNC_RUNTIME_DIR: '' }, 7, '/tmp/upsync-7'],
  ])('with %j for user %i is %s', (env, uid, expected) => {
    expect(runtimeBase(env, uid)).toBe(expected);
  });

  it('is the same for one configuration and prefix, and another for any other', () => {
    const folder = (main: string, prefix: string): string => runtimeFor('/run/upsync', main, prefix).folder;
    expect(folder('/a', '/b')).toBe(folder('/a', '/b'));
    expect(new Set([folder('/a', '/b'), folder('/a', '/c'), folder('/ab', '/')]).size).toBe(3);
  });

  it('refuses a place too long for a unix socket', () => {
    expect(() => runtimeFor(`/${'x'.repeat(90)}`, '/a', '/b')).toThrow(
      expect.objectContaining({ code: 'RUNTIME_DIRECTORY' }),
    );
  });

  it('is made and, when nobody named it, taken away again once it is empty', () => {
    const folder = scratchFolder();
    const uid = process.getuid!() || 7;
    const own = { XDG_RUNTIME_DIR: folder };
    const base = runtimeBase(own, uid);
    mkdirSync(path.join(base, 'busy'), { recursive: true });
    leaveBase(own, uid);
    expect(existsSync(base)).toBe(true);
    rmdirSync(path.join(base, 'busy'));
    leaveBase(own, uid);
    expect(existsSync(base)).toBe(false);
    const named = { UPSYNC_RUNTIME_DIR: base };
    expect(claimBase(named, uid)).toBe(base);
    leaveBase(named, uid);
    expect(existsSync(base)).toBe(true);
  });

  it('is refused in /tmp when another user made it first', () => {
    const other = 2_000_000_000 + (process.pid % 1_000_000);
    const base = runtimeBase({}, other);
    expect(base).toBe(`/tmp/upsync-${other}`);
    try {
      // We make it, and are not that user.
      expect(() => claimBase({}, other)).toThrow(
        expect.objectContaining({
          code: 'RUNTIME_DIRECTORY',
          message: expect.stringContaining('another user'),
        }),
      );
    } finally {
      leaveBase({}, other);
    }
    expect(existsSync(base)).toBe(false);
  });

  it('is tidied of supervisors that are gone together with their nginx', () => {
    const base = scratchFolder();
    const gone = { pid: 4_194_304, started: '1' };
    const rest = { main: '/m', prefix: '/p', pidPath: '/pid' };
    const states = {
      '/dead': { supervisor: gone, master: gone },
      '/alive': { supervisor: identify(process.pid) },
      '/orphan': { supervisor: gone, master: identify(process.pid) },
    };
    for (const [main, state] of Object.entries(states)) {
      const runtime = runtimeFor(base, main, '/');
      mkdirSync(runtime.private, { recursive: true });
      writeState(runtime.state, { ...state, ...rest });
    }
    mkdirSync(path.join(base, 'other'));
    removeStale(base);
    const left = listRuntimes(base).map(({ folder }) => folder);
    expect(left.sort()).toEqual(
      ['/alive', '/orphan'].map((main) => runtimeFor(base, main, '/').folder).sort(),
    );
    expect(readdirSync(base)).toContain('other');
    expect(listRuntimes(path.join(base, 'none'))).toEqual([]);
  });
});

describe('the state a supervisor leaves', () => {
  it('is read back, and nonsense is nobody', () => {
    const folder = scratchFolder({ bad: '{', other: '{"supervisor":{"pid":"x"},"main":"/m"}' });
    const file = path.join(folder, 'state');
    const state = { supervisor: identify(process.pid), main: '/m', prefix: '/p', pidPath: '/pid' };
    writeState(file, state);
    expect(readState(file)).toEqual(state);
    for (const name of ['bad', 'other', 'missing'])
      expect(readState(path.join(folder, name))).toBeUndefined();
  });

  it('tells a process from another one with the same pid', () => {
    expect(isRunning(identify(process.pid))).toBe(true);
    expect(isRunning({ pid: process.pid, started: '1' })).toBe(false);
    expect(isRunning(undefined)).toBe(false);
  });
});
