import { describe, expect, it } from 'vitest';
import { createLogger, defaultFormat, defaultLevel, formatLine } from '../../src/sidecar/log.ts';

const time = new Date(2026, 0, 2, 3, 4, 5);

describe('a log line', () => {
  it('is one JSON object with the fields of pino', () => {
    const line = formatLine('json', 'warn', 'engine', { upstream: 'test', servers: 2 }, 'list_changed', time);
    expect(line.endsWith('\n')).toBe(true);
    expect(JSON.parse(line)).toEqual({
      level: 40,
      time: time.getTime(),
      pid: process.pid,
      component: 'engine',
      upstream: 'test',
      servers: 2,
      msg: 'list_changed',
    });
  });

  it('is one readable line for people', () => {
    const fields = { upstream: 'test', why: 'two words', gone: undefined, list: [1] };
    expect(formatLine('text', 'info', 'engine', fields, 'list_changed', time)).toBe(
      '03:04:05 INFO  engine: list_changed upstream=test why="two words" list=[1]\n',
    );
  });

  it('fits into the error log of nginx', () => {
    expect(formatLine('nginx', 'info', 'supervisor', { pid: 7 }, 'nginx_started', time)).toBe(
      `2026/01/02 03:04:05 [notice] ${process.pid}#${process.pid}: upsync supervisor: nginx_started pid=7\n`,
    );
  });

  it.each(['json', 'text', 'nginx'] as const)('stays one line whatever the value (%s)', (format) => {
    const line = formatLine(format, 'info', 'x', { why: 'a\nb\r"c"' }, 'event', time);
    expect(line.trimEnd()).not.toMatch(/[\n\r]/);
  });
});

describe('the logger', () => {
  it('leaves out what is below its level', () => {
    const lines: string[] = [];
    const log = createLogger({
      component: 'x',
      level: 'warn',
      format: 'json',
      write: (line) => void lines.push(line),
    });
    log.debug({}, 'a');
    log.info({}, 'b');
    log.warn({}, 'c');
    log.error({}, 'd');
    expect(lines.map((line) => JSON.parse(line).msg)).toEqual(['c', 'd']);
  });

  it('says nothing when silent', () => {
    const lines: string[] = [];
    createLogger({ component: 'x', level: 'silent', write: (line) => void lines.push(line) }).error({}, 'd');
    expect(lines).toEqual([]);
  });

  it('takes level and format from the environment, and ignores nonsense there', () => {
    expect(defaultLevel({ UPSYNC_LOG_LEVEL: 'debug' })).toBe('debug');
    expect(defaultLevel({ UPSYNC_LOG_LEVEL: 'loud' })).toBe('info');
    expect(defaultFormat({ UPSYNC_LOG_FORMAT: 'nginx' })).toBe('nginx');
  });
});
