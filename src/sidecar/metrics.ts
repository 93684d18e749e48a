import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Server } from '../upstream/server.ts';
import { type ApplyMessage, applyChannel } from '../upsync/channels.ts';
import type { UpstreamStatus } from '../upsync/upstream-status.ts';
import { createNameMetrics } from './names/name-metrics.ts';
import type { NamesStatus } from './names/names-status.ts';

/** Numbers for Prometheus. */
export interface Metrics {
  /** In Prometheus' text format, with the `content-type` to send. */
  text(): Promise<{ readonly body: string; readonly type: string }>;
  close(): void;
}

/** Bounds of `upsync_apply_seconds`: a push takes milliseconds, a reload up to seconds. */
const APPLY_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

// What a server counts as, the strongest word first: a backup that is down serves nothing.
function stateOf({ down, drain, backup }: Server): 'up' | 'down' | 'backup' | 'drain' {
  if (down) return 'down';
  if (drain) return 'drain';
  return backup ? 'backup' : 'up';
}

/** Makes the metrics; all but the apply times are read from `status` when asked for, so they cost nothing in between. */
export function createMetrics(
  status: () => readonly UpstreamStatus[],
  names: () => NamesStatus | undefined = () => undefined,
): Metrics {
  const registers = [new Registry()];
  const registry = registers[0]!;
  const gauge = (name: string, help: string, labelNames: string[] = ['upstream']) =>
    new Gauge({ name, help, labelNames, registers });
  const counter = (name: string, help: string) =>
    new Counter({ name, help, labelNames: ['upstream'], registers });

  const servers = gauge(
    'upsync_upstream_servers',
    'Servers of an upstream by state: up, down, backup, drain.',
    ['upstream', 'state'],
  );
  const version = gauge('upsync_list_version', 'Version of the list in use; counts changes in this process.');
  const worker = gauge(
    'upsync_worker_version',
    'List version an nginx worker uses; 0 while it runs a list it was not given by this process.',
    ['upstream', 'pid'],
  );
  const age = gauge(
    'upsync_last_success_age_seconds',
    'For how long the registry has been out of reach; 0 while it is followed.',
  );
  const ready = gauge('upsync_upstream_ready', '1 when a list of the registry is in use.');
  const refused = gauge(
    'upsync_list_refused',
    '1 while the newest list of the registry is not in use as it is.',
  );
  const rejected = gauge('upsync_rejected_entries', 'Entries of the newest list that were refused.');
  const pending = gauge('upsync_target_pending', '1 while a target does not have the newest list.', [
    'upstream',
    'target',
  ]);
  const polls = counter('upsync_polls_total', 'Lists told by the registry.');
  const errors = counter('upsync_errors_total', 'Failed attempts to get a list.');
  const apply = new Histogram({
    name: 'upsync_apply_seconds',
    help: 'Time until a target has put a batch of lists to work.',
    labelNames: ['target', 'result'],
    buckets: APPLY_BUCKETS,
    registers,
  });

  const fillNames = createNameMetrics(registers);

  const onApply = (message: unknown): void => {
    const { target, seconds, ok } = message as ApplyMessage;
    apply.observe({ target, result: ok ? 'ok' : 'error' }, seconds);
  };
  applyChannel.subscribe(onApply);

  const fill = (one: UpstreamStatus): void => {
    const upstream = one.name;
    const states = { up: 0, down: 0, backup: 0, drain: 0 };
    for (const server of one.servers) states[stateOf(server)]++;
    for (const [state, count] of Object.entries(states)) servers.set({ upstream, state }, count);
    version.set({ upstream }, one.version);
    age.set({ upstream }, one.ageMs / 1000);
    ready.set({ upstream }, one.ready ? 1 : 0);
    refused.set({ upstream }, one.refused ? 1 : 0);
    rejected.set({ upstream }, one.rejected.length);
    polls.inc({ upstream }, one.polls);
    errors.inc({ upstream }, one.errors);
    for (const { target, wanted, delivered, workers } of one.targets) {
      pending.set({ upstream, target }, wanted !== undefined && wanted !== delivered ? 1 : 0);
      for (const { pid, version: used } of workers) worker.set({ upstream, pid: String(pid) }, used ?? 0);
    }
  };
  return {
    text: async () => {
      for (const metric of [servers, version, worker, age, ready, refused, rejected, pending, polls, errors])
        metric.reset();
      for (const one of status()) fill(one);
      fillNames(names());
      return { body: await registry.metrics(), type: registry.contentType };
    },
    close: () => applyChannel.unsubscribe(onApply),
  };
}
