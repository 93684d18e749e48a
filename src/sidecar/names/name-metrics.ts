import { Counter, Gauge, type Registry } from 'prom-client';
import type { NamesStatus } from './names-status.ts';

/** Adds the numbers about names to a registry; the function takes the newest ones. */
export function createNameMetrics(registers: Registry[]): (status: NamesStatus | undefined) => void {
  const gauge = (name: string, help: string, labelNames: string[]) =>
    new Gauge({ name, help, labelNames, registers });
  const share = gauge('upsync_name_share', 'Part of the traffic of a name that an IDC takes, 0 to 1.', [
    'name',
    'idc',
  ]);
  const servers = gauge('upsync_name_servers', 'Servers of a name in an IDC by state: healthy, unhealthy.', [
    'name',
    'idc',
    'state',
  ]);
  const live = gauge('upsync_name_live', '1 while every registry stands behind the answer to a name.', [
    'name',
  ]);
  const plan = gauge('upsync_traffic_plan_active', '1 while a traffic plan is in force for a target.', [
    'target',
    'plan',
  ]);
  const queries = new Counter({ name: 'upsync_dns_queries_total', help: 'Questions over DNS.', registers });
  const answers = new Counter({
    name: 'upsync_dns_answers_total',
    help: 'Answers over DNS by code.',
    labelNames: ['code'],
    registers,
  });
  return (status) => {
    for (const metric of [share, servers, live, plan, queries, answers]) metric.reset();
    for (const { name, state, idcs } of status?.names ?? []) {
      live.set({ name }, state === 'live' ? 1 : 0);
      for (const one of idcs) {
        share.set({ name, idc: one.idc }, one.share);
        servers.set({ name, idc: one.idc, state: 'healthy' }, one.healthy);
        servers.set({ name, idc: one.idc, state: 'unhealthy' }, one.servers - one.healthy);
      }
    }
    for (const { target, plan: name } of status?.plans ?? [])
      if (name !== undefined) plan.set({ target, plan: name }, 1);
    queries.inc(status?.dns?.queries ?? 0);
    for (const [code, count] of Object.entries(status?.dns?.answers ?? {})) answers.inc({ code }, count);
  };
}
