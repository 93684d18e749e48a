import type { DispatcherKind } from '../rig/dispatcher-kinds.ts';
import type { DispatcherResult } from '../rig/dispatcher-main.ts';
import { runDispatcher } from '../rig/dispatcher-run.ts';
import { startLoneServers } from '../rig/lone-servers.ts';
import type { Context, Table } from '../scenario.ts';
import { alternate, pretty, spread } from '../stats.ts';

const KINDS: readonly DispatcherKind[] = [
  'balanced-pool',
  'balanced-pool-retry',
  'round-robin-pool',
  'upsync',
];
const EVENTS = ['one of four dies', 'all four restart, one by one', 'a fourth joins'] as const;
const SERVERS = 4;
const CLIENTS = 16;
const PAUSE_MS = 1;
const SECONDS = 1.5;
const PERCENT = 100;

interface Happened {
  readonly event: (typeof EVENTS)[number];
  readonly kind: DispatcherKind;
  readonly result: DispatcherResult;
  /** Percent of the answers of the last quarter, where one joined. */
  readonly share: number | undefined;
}

/** What happens to requests when servers come and go, whatever the dispatcher is told of it. */
export interface Events {
  readonly method: string;
  readonly table: Table;
  /** Failed requests of Upsync's, all rounds and events together. */
  readonly failed: number;
  /** Of which kind, and when. */
  readonly why: string;
  readonly measures: Readonly<Record<string, readonly number[]>>;
}

export async function measureEvents(context: Context): Promise<Events> {
  const seconds = SECONDS;
  const all: Happened[] = [];
  for (let round = 0; round < context.rounds; round += 1) {
    for (const event of EVENTS) {
      for (const kind of alternate(KINDS, round)) {
        context.step(`round ${round + 1} of ${context.rounds}, ${event}, ${kind}`);
        all.push(await happen(event, kind, seconds));
      }
    }
  }
  const rows = EVENTS.flatMap((event) =>
    KINDS.map((kind) => all.filter((one) => one.event === event && one.kind === kind)),
  );
  return {
    method: `Servers that come and go: ${CLIENTS} clients, each pausing for ${PAUSE_MS} ms after an answer, for ${seconds} s. Halfway a server is killed, all are restarted one after the other (each is away for a tenth of a second), or a fourth joins and is added by the dispatcher's own means. Nobody tells the dispatcher of deaths and restarts. RoundRobinPool has the servers as the addresses of one name.`,
    table: {
      caption: `When servers come and go, ${context.rounds} rounds together; a share of 25 % for the one that joined would be even`,
      columns: [
        'what happens',
        'dispatcher',
        'answered',
        'failed',
        'by kind',
        'longest ms',
        'share of the new server',
      ],
      rows: rows.map(rowOf),
    },
    failed: all
      .filter(({ kind }) => kind === 'upsync')
      .reduce((sum, { result }) => sum + failuresOf(result), 0),
    why: whyOf(all),
    measures: Object.fromEntries(
      rows.map((ones) => [
        `dispatcher ${ones[0]!.kind} failed, ${ones[0]!.event}`,
        ones.map(({ result }) => failuresOf(result)),
      ]),
    ),
  };
}

async function happen(event: Happened['event'], kind: DispatcherKind, seconds: number): Promise<Happened> {
  const servers = await startLoneServers(SERVERS);
  const { addresses } = servers;
  const last = addresses[SERVERS - 1]!;
  const run = { kind, seconds, concurrency: CLIENTS, pauseMs: PAUSE_MS };
  try {
    if (event === 'a fourth joins') {
      const result = await runDispatcher({ ...run, addresses: addresses.slice(0, -1), joins: last });
      const served = Object.values(result.servedLast).reduce((sum, count) => sum + count, 0);
      return { event, kind, result, share: ((result.servedLast[last] ?? 0) / served) * PERCENT };
    }
    const halfway = async (): Promise<void> => {
      if (event === 'one of four dies') return servers.kill(SERVERS - 1);
      for (let at = 0; at < SERVERS; at += 1) await servers.restart(at);
    };
    return { event, kind, result: await runDispatcher({ ...run, addresses }, halfway), share: undefined };
  } finally {
    await servers.stop();
  }
}

function rowOf(ones: readonly Happened[]): string[] {
  const { event, kind } = ones[0]!;
  const kinds = new Map<string, number>();
  for (const { result } of ones)
    for (const [error, count] of Object.entries(result.errors))
      kinds.set(error, (kinds.get(error) ?? 0) + count);
  const shares = ones.flatMap(({ share }) => (share === undefined ? [] : [share]));
  return [
    event,
    kind,
    pretty(ones.reduce((sum, { result }) => sum + result.answered, 0)),
    String(ones.reduce((sum, { result }) => sum + failuresOf(result), 0)),
    [...kinds].map(([error, count]) => `${count} ${error}`).join(', '),
    pretty(Math.max(...ones.map(({ result }) => result.longestMs))),
    shares.length === 0 ? '' : `${spread(shares).median.toFixed(0)} %`,
  ];
}

function failuresOf({ errors }: DispatcherResult): number {
  return Object.values(errors).reduce((sum, count) => sum + count, 0);
}

function whyOf(all: readonly Happened[]): string {
  const failed = all.filter(({ kind, result }) => kind === 'upsync' && failuresOf(result) > 0);
  const texts = failed.map(({ event, result }) => `${event}: ${JSON.stringify(result.errors)}`);
  return texts.length === 0 ? 'With nothing happening to the servers.' : `${texts.join('; ')}.`;
}
