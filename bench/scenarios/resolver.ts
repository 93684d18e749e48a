import path from 'node:path';
import { createResolver } from '../../src/motan/resolver.ts';
import { createTopology } from '../../src/motan/topology.ts';
import { consulSources } from '../../src/motan/consul-sources.ts';
import { output } from '../rig/child.ts';
import type { DnsLoadResult } from '../rig/dns-load-main.ts';
import { startConsulDns, startDnsmasq, startUpsyncDns, type NameServer } from '../rig/name-servers.ts';
import { startRegistry } from '../rig/registry.ts';
import type { Context, Scenario, ScenarioReport } from '../scenario.ts';
import { alternate, pretty, ratio, spread } from '../stats.ts';

const IN_FLIGHT = 64;
const RESOLVES = 20_000_000;
const RESOLVE_GOAL = 10_000_000;

/** Names: the call in a program, and the same over DNS beside other name servers. */
export const resolver: Scenario = {
  name: 'resolver',
  title: 'Names: in a program, and over DNS',
  minutes: 0.8,
  run,
};

async function run(context: Context): Promise<ScenarioReport> {
  context.step('resolve in a program');
  const calls: number[] = [];
  for (let round = 0; round < context.rounds; round += 1) calls.push(await resolvesPerSecond());
  const starters: readonly (() => Promise<NameServer | undefined>)[] = [
    startUpsyncDns,
    startDnsmasq,
    startConsulDns,
  ];
  const rates = new Map<NameServer['kind'], number[]>();
  const seconds = Math.max(1, Math.round(2 * context.scale));
  let wrong = 0;
  for (let round = 0; round < context.rounds; round += 1) {
    for (const starter of alternate(starters, round)) {
      const server = await starter();
      if (server === undefined) continue;
      context.step(`round ${round + 1} of ${context.rounds}, ${server.kind}`);
      try {
        const load = { port: server.port, name: server.name, seconds, inFlight: IN_FLIGHT };
        const main = path.join(import.meta.dirname, '..', 'rig', 'dns-load-main.js');
        const result = JSON.parse(
          await output(process.execPath, [main, JSON.stringify(load)], 30_000),
        ) as DnsLoadResult;
        if (server.kind === 'upsync') wrong += result.wrong;
        rates.set(server.kind, [...(rates.get(server.kind) ?? []), result.queriesPerSecond]);
      } finally {
        await server.stop();
      }
    }
  }
  const ours = rates.get('upsync')!;
  const call = spread(calls);
  return {
    name: resolver.name,
    title: resolver.title,
    method: `\`resolve\` of a known name in one thread, ${pretty(RESOLVES)} calls. DNS: A queries over UDP for a name of four addresses, ${IN_FLIGHT} under way at all times from one process on the same machine, ${seconds} s; ${context.rounds} rounds.`,
    tables: [
      {
        caption: 'Queries per second',
        columns: ['server', 'queries/s', 'ratio of Upsync to it'],
        rows: [...rates].map(([kind, values]) => {
          const rate = spread(values);
          return [
            kind,
            `${pretty(rate.median)} (${pretty(rate.min)} to ${pretty(rate.max)})`,
            ratio(ours, values).median.toFixed(2),
          ];
        }),
      },
      {
        caption: 'Calls of `resolve` per second',
        columns: ['median', 'min', 'max'],
        rows: [[pretty(call.median), pretty(call.min), pretty(call.max)]],
      },
    ],
    plots: [
      {
        file: 'dns.svg',
        title: 'DNS queries answered',
        unit: 'queries/s',
        bars: [...rates].map(([kind, values]) => ({ label: kind, ...spread(values) })),
      },
    ],
    goals: [
      {
        text: 'tens of millions of calls of resolve per second',
        measured: pretty(call.median),
        met: call.median >= RESOLVE_GOAL,
        why: `A call takes ${pretty(1e9 / call.median)} ns (${pretty(1e9 / call.max)} to ${pretty(1e9 / call.min)}).`,
      },
      { text: 'every DNS answer has an address', measured: `${wrong} had none`, met: wrong === 0 },
    ],
    measures: {
      'resolver calls/s': calls,
      ...Object.fromEntries([...rates].map(([kind, values]) => [`dns ${kind} queries/s`, values])),
    },
  };
}

async function resolvesPerSecond(): Promise<number> {
  const registry = await startRegistry();
  const names = createResolver({
    topology: createTopology({ local: 'dc1', idcs: [{ name: 'dc1' }] }),
    ...consulSources({ addresses: [registry.url] }),
  });
  try {
    await names.ready('rs.dc1.6379', { timeoutMs: 5000 });
    let servers = 0;
    const turn = (times: number): void => {
      for (let i = 0; i < times; i += 1) servers += names.resolve('rs.dc1.6379').servers.length;
    };
    turn(RESOLVES / 20);
    const begun = performance.now();
    turn(RESOLVES);
    if (servers < 0) throw new Error('unreachable; keeps the loop from being thrown away');
    return (RESOLVES * 1000) / (performance.now() - begun);
  } finally {
    await names.close();
    await registry.stop();
  }
}
