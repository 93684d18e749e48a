import type { Logger } from '../upstream/logger.ts';
import type { LogLevel } from './engine-config.ts';

/** Every level by rising severity, as `--log-level` takes them. */
export const LOG_LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error', 'silent'];

/** How a line looks: `json` for machines (pino's fields), `text` for people, `nginx` to fit into nginx's error log. */
export type LogFormat = 'json' | 'text' | 'nginx';

export interface LogOptions {
  /** Who speaks: `supervisor`, `engine`, `registry`. */
  readonly component: string;
  /** @default 'info' */
  readonly level?: LogLevel;
  /** @default 'text' when standard error is a terminal, else 'json' */
  readonly format?: LogFormat;
  /** Takes whole lines, line feed included. @default standard error */
  readonly write?: (line: string) => void;
}

// Pino's numbers, so that tools which know pino read these lines.
const NUMBERS = { debug: 20, info: 30, warn: 40, error: 50, silent: Infinity } as const;
const NGINX_WORDS = { debug: 'info', info: 'notice', warn: 'warn', error: 'error' } as const;
type Severity = keyof typeof NGINX_WORDS;

/**
 * Makes a logger that costs nothing to load, for the process that must get nginx listening at once.
 * JSON lines carry pino's fields: `level`, `time`, `pid`, `component`, the event's own fields, `msg`.
 */
export function createLogger(options: LogOptions): Logger {
  const write = options.write ?? ((line: string) => void process.stderr.write(line));
  const format = options.format ?? defaultFormat();
  const least = NUMBERS[options.level ?? 'info'];
  const at = (severity: Severity) => (fields: object, event: string) => {
    if (NUMBERS[severity] < least) return;
    write(formatLine(format, severity, options.component, fields, event, new Date()));
  };
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

/** `text` on a terminal, `json` elsewhere; `UPSYNC_LOG_FORMAT` overrides. */
export function defaultFormat(env: NodeJS.ProcessEnv = process.env): LogFormat {
  const wanted = env['UPSYNC_LOG_FORMAT'];
  if (wanted === 'json' || wanted === 'text' || wanted === 'nginx') return wanted;
  return process.stderr.isTTY ? 'text' : 'json';
}

/** The level named by `UPSYNC_LOG_LEVEL`, or `info`. */
export function defaultLevel(env: NodeJS.ProcessEnv = process.env): LogLevel {
  return LOG_LEVELS.find((level) => level === env['UPSYNC_LOG_LEVEL']) ?? 'info';
}

/** One log line, line feed included. A line feed inside a value never starts a second line. */
export function formatLine(
  format: LogFormat,
  severity: Severity,
  component: string,
  fields: object,
  event: string,
  time: Date,
): string {
  if (format === 'json') {
    const head = { level: NUMBERS[severity], time: time.getTime(), pid: process.pid, component };
    return `${JSON.stringify({ ...head, ...fields, msg: event })}\n`;
  }
  const words = Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${formatValue(value)}`);
  const tail = words.length > 0 ? ` ${words.join(' ')}` : '';
  if (format === 'nginx') {
    const place = `${process.pid}#${process.pid}`;
    return `${nginxTime(time)} [${NGINX_WORDS[severity]}] ${place}: upsync ${component}: ${event}${tail}\n`;
  }
  return `${clock(time)} ${severity.toUpperCase().padEnd(5)} ${component}: ${event}${tail}\n`;
}

function formatValue(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? 'undefined');
  return /^[^\s"=]+$/.test(text) || typeof value !== 'string' ? text : JSON.stringify(text);
}

function nginxTime(time: Date): string {
  const day = [time.getFullYear(), time.getMonth() + 1, time.getDate()].map(twoDigits).join('/');
  return `${day} ${clock(time)}`;
}

function clock(time: Date): string {
  return [time.getHours(), time.getMinutes(), time.getSeconds()].map(twoDigits).join(':');
}

function twoDigits(number: number): string {
  return String(number).padStart(2, '0');
}
