import { startBackends } from '../rig/backends.ts';
import { startChurn } from '../rig/churn.ts';
import { watchFront } from '../rig/front-watch.ts';
import { startFront, type Front } from '../rig/front.ts';
import { startRegistry } from '../rig/registry.ts';
import { startLongLived } from '../rig/long-lived.ts';
import { paced } from '../rig/paced.ts';
import type { Context, Scenario, ScenarioReport } from '../scenario.ts';
import { alternate } from '../stats.ts';
import { churnPlan, IN_TURNS, LOAD, turns, type Measured, type Step } from './churn-plan.ts';
import { churnReport } from './churn-report.ts';

/** A fast pace, for programs to be compiled soon. Milliseconds. */
const WARM_PERIOD_MS = 10;

/** What users feel while the list changes: the reload's cost beside ours. */
export const churn: Scenario = {
  name: 'churn',
  title: 'Churn: the list changes under load',
  minutes: 5.1,
  run: async (context) => ({ name: churn.name, title: churn.title, revision: 3, ...(await run(context)) }),
};

async function run(context: Context): Promise<Omit<ScenarioReport, 'name' | 'title'>> {
  const plan = churnPlan(context.scale);
  const backends = await startBackends(LOAD.servers);
  const servers = backends.addresses;
  const sequences: Measured[][] = [];
  try {
    for (let round = 0; round < context.rounds; round += 1) {
      const of = `round ${round + 1} of ${context.rounds}`;
      context.step(`${of}, static and upsync in turns`);
      sequences.push(await inTurns(servers, turns(context.scale)));
      const measured: Measured[] = [];
      for (const step of alternate(plan, round)) {
        context.step(`${of}, ${step.changes}, ${step.variant}`);
        await using front = await startFront({ variant: step.variant, servers });
        await warm(front);
        measured.push(await measure(front, servers, step));
      }
      sequences.push(measured);
    }
  } finally {
    await backends.stop();
  }
  return churnReport([IN_TURNS.still, IN_TURNS.changing, ...plan], sequences);
}

// A registry without a follower.
interface Unheard {
  readonly change: Front['change'];
  readonly stop: () => Promise<void>;
}

async function startUnheard(servers: readonly string[]): Promise<Unheard> {
  const registry = await startRegistry();
  await registry.replace('backend', servers);
  return { change: (next) => registry.replace('backend', next), stop: () => registry.stop() };
}

// Both are there all the time and one of them has nothing to do: what the machine does to one second, it does to the next. A
// registry is written to in the turns of both, since it and its writer would be on other machines.
async function inTurns(servers: readonly string[], count: number): Promise<Measured[]> {
  await using still = await startFront({ variant: 'static', servers });
  await using changing = await startFront({ variant: 'upsync', servers });
  const unheard = await startUnheard(servers);
  try {
    // The first changes find programs that are not compiled yet, which a running system does not.
    for (const [front, target] of [[still, unheard] as const, [changing, changing] as const]) {
      const churning = startChurn(target, servers, WARM_PERIOD_MS);
      await warm(front);
      await warm(front);
      await churning.stop();
      await churning.restore();
    }
    const measured: Measured[] = [];
    for (let turn = 0; turn < count; turn += 1) {
      measured.push(await measureUnheard(still, servers, unheard));
      measured.push(await measure(changing, servers, IN_TURNS.changing));
    }
    measured.push(await measureUnheard(still, servers, unheard));
    return measured;
  } finally {
    await unheard.stop();
  }
}

async function measureUnheard(still: Front, servers: readonly string[], unheard: Unheard): Promise<Measured> {
  const writing = startChurn(unheard, servers, IN_TURNS.changing.periodMs!);
  const measured = await measure(still, servers, IN_TURNS.still);
  await writing.stop();
  await writing.restore();
  return measured;
}

async function warm({ port }: Front): Promise<void> {
  const { keepaliveRate, shortRate, connections, warmSeconds } = LOAD;
  await paced({ port, keepaliveRate, shortRate, connections, seconds: warmSeconds });
}

async function measure(front: Front, servers: readonly string[], step: Step): Promise<Measured> {
  const { keepaliveRate, shortRate, connections } = LOAD;
  const load = { port: front.port, keepaliveRate, shortRate, connections };
  const longLived = startLongLived({ port: front.port, ...LOAD.longLived });
  const watch = watchFront(front);
  const churning = step.periodMs === undefined ? undefined : startChurn(front, servers, step.periodMs);
  const result = await paced({ ...load, seconds: step.seconds });
  const changesMade = (await churning?.stop()) ?? 0;
  const watched = watch.stop();
  await churning?.restore();
  const { downloads, websockets } = longLived;
  const cut = {
    downloads: downloads.cut(),
    websockets: websockets.cut(),
    websocketsOpened: websockets.opened(),
    heartbeatsLost: websockets.silent(),
  };
  longLived.stop();
  return { ...step, result, changesMade, watched, cut };
}
