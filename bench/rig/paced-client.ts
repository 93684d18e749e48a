import { build, type Histogram } from 'hdr-histogram-js';
import { HttpConnection, type Outcome } from './http-connection.ts';

export interface PacedOptions {
  readonly host: string;
  readonly port: number;
  readonly path: string;
  /** Requests are due at this even rate whether or not the server keeps up, so a stall shows as latency. */
  readonly requestsPerSecond: number;
  readonly seconds: number;
  /** `keepalive`: a fixed set of connections; `short`: a new connection for each request. */
  readonly mode: 'keepalive' | 'short';
  readonly connections: number;
  /** Requests in flight or waiting beyond which a due request is counted as failed instead of queued. */
  readonly maxBacklog?: number;
}

export interface PacedResult {
  readonly sent: number;
  readonly ok: number;
  /** Failures by kind: a status or the socket's error code. */
  readonly errors: Readonly<Record<string, number>>;
  /** Keepalive connections the server closed while idle or in use. */
  readonly connectionsDropped: number;
  readonly connectionsOpened: number;
  /** Milliseconds from the moment a request was due. */
  readonly latency: Readonly<Record<'p50' | 'p90' | 'p99' | 'p999' | 'max', number>>;
}

const TICK_MS = 1;
const MICROSECONDS = 1000;

/** Open-loop client with an HDR histogram: it measures what users feel, the wait included. */
export class PacedClient {
  readonly #options: PacedOptions;
  readonly #request: string;
  readonly #histogram: Histogram = build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: 60_000_000,
    numberOfSignificantValueDigits: 3,
  });
  readonly #idle: HttpConnection[] = [];
  readonly #waiting: number[] = [];
  readonly #errors: Record<string, number> = {};
  #open = 0;
  #opened = 0;
  #dropped = 0;
  #sent = 0;
  #ok = 0;
  #busy = 0;
  #ending = false;

  constructor(options: PacedOptions) {
    this.#options = options;
    const connection = options.mode === 'short' ? 'Connection: close\r\n' : '';
    this.#request = `GET ${options.path} HTTP/1.1\r\nHost: bench\r\n${connection}\r\n`;
  }

  /** Runs for the time asked, lets what is in flight end (at most 5 s), and reports. */
  async run(): Promise<PacedResult> {
    if (this.#options.mode === 'keepalive')
      for (let i = 0; i < this.#options.connections; i += 1) this.#connect();
    const start = performance.now();
    const total = Math.round(this.#options.requestsPerSecond * this.#options.seconds);
    let due = 0;
    while (due < total) {
      const now = performance.now();
      const until = Math.min(total, Math.floor(((now - start) / 1000) * this.#options.requestsPerSecond) + 1);
      for (; due < until; due += 1) this.#take(start + (due * 1000) / this.#options.requestsPerSecond);
      await new Promise((resolve) => setTimeout(resolve, TICK_MS));
    }
    const deadline = performance.now() + 5000;
    while (this.#busy + this.#waiting.length > 0 && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    this.#ending = true;
    if (this.#busy + this.#waiting.length > 0) this.#fail('unanswered', this.#busy + this.#waiting.length);
    for (const connection of this.#idle) connection.destroy();
    return this.#result();
  }

  #take(dueAt: number): void {
    this.#sent += 1;
    if (this.#options.mode === 'short') {
      void this.#exchange(new HttpConnection(this.#options.host, this.#options.port), dueAt);
      this.#opened += 1;
      return;
    }
    if (this.#waiting.length > (this.#options.maxBacklog ?? 100_000)) return this.#fail('backlog', 1);
    this.#waiting.push(dueAt);
    this.#pump();
  }

  #pump(): void {
    while (this.#waiting.length > 0) {
      const connection = this.#idle.pop();
      if (connection === undefined) return;
      if (connection.alive) void this.#exchange(connection, this.#waiting.shift()!);
    }
  }

  async #exchange(connection: HttpConnection, dueAt: number): Promise<void> {
    this.#busy += 1;
    const outcome = await connection.send(this.#request);
    this.#busy -= 1;
    if (this.#ending) return connection.destroy();
    this.#record(outcome, dueAt);
    if (this.#options.mode === 'short') return connection.destroy();
    if (connection.alive && outcome.kind !== 'error' && outcome.reusable) this.#idle.push(connection);
    else this.#replace(connection);
    this.#pump();
  }

  #record(outcome: Outcome, dueAt: number): void {
    this.#histogram.recordValue(Math.max(1, Math.round((performance.now() - dueAt) * MICROSECONDS)));
    if (outcome.kind === 'ok') this.#ok += 1;
    else this.#fail(outcome.kind === 'status' ? `status ${outcome.status}` : outcome.error, 1);
  }

  #fail(kind: string, count: number): void {
    this.#errors[kind] = (this.#errors[kind] ?? 0) + count;
  }

  #connect(): void {
    const connection = new HttpConnection(this.#options.host, this.#options.port);
    this.#open += 1;
    this.#opened += 1;
    connection.onIdleClose(() => this.#replace(connection));
    this.#idle.push(connection);
  }

  #replace(connection: HttpConnection): void {
    const at = this.#idle.indexOf(connection);
    if (at >= 0) this.#idle.splice(at, 1);
    connection.destroy();
    this.#open -= 1;
    this.#dropped += 1;
    if (!this.#ending && this.#open < this.#options.connections) this.#connect();
  }

  #result(): PacedResult {
    const at = (percentile: number): number =>
      this.#histogram.getValueAtPercentile(percentile) / MICROSECONDS;
    return {
      sent: this.#sent,
      ok: this.#ok,
      errors: this.#errors,
      connectionsDropped: this.#dropped,
      connectionsOpened: this.#opened,
      latency: {
        p50: at(50),
        p90: at(90),
        p99: at(99),
        p999: at(99.9),
        max: this.#histogram.maxValue / MICROSECONDS,
      },
    };
  }
}
