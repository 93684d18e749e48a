import type { Logger } from '../../src/upstream/logger.ts';

/** One line a logger was given. */
export interface LogLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly event: string;
  readonly fields: Record<string, unknown>;
}

/** A logger that keeps its lines. `events()` gives their names, debug left out. */
export function recordingLogger(): Logger & { lines: LogLine[]; events(): string[] } {
  const lines: LogLine[] = [];
  const at = (level: LogLine['level']) => (fields: object, event: string) => {
    lines.push({ level, event, fields: { ...fields } });
  };
  return {
    lines,
    events: () => lines.filter((line) => line.level !== 'debug').map((line) => line.event),
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
  };
}
