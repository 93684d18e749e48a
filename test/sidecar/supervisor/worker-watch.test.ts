import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { childrenOf } from '../../../src/sidecar/supervisor/nginx-master.ts';
import { isAlive } from '../../../src/sidecar/supervisor/pid-file.ts';
import { WorkerWatch } from '../../../src/sidecar/supervisor/worker-watch.ts';
import { recordingLogger } from '../../helpers/recording-logger.ts';

it('knows workers that were forked after nginx wrote its pid file, and ends them when their master is killed', async () => {
  const busy = 'i=0; while [ $i -lt 5000 ]; do i=$((i+1)); done';
  const master = spawn('sh', ['-c', `${busy}; sleep 30 & wait`], { stdio: 'ignore' });
  await once(master, 'spawn');
  const watch = new WorkerWatch(() => master.pid);
  onTestFinished(() => watch.stop());
  await watch.start();
  const logger = recordingLogger();
  master.kill('SIGKILL');
  await once(master, 'exit');
  watch.endOrphans(logger);
  const line = logger.lines.find(({ event }) => event === 'workers_without_master_ended');
  const pids = line?.fields['pids'] as readonly number[];
  expect(pids).toHaveLength(1);
  const end = performance.now() + 2000;
  while (pids.some(isAlive) && performance.now() < end) await delay(5);
  expect(pids.filter(isAlive)).toEqual([]);
});

it('does not wait long for workers where nginx has none', async () => {
  const master = spawn('sleep', ['30'], { stdio: 'ignore' });
  await once(master, 'spawn');
  onTestFinished(() => void master.kill('SIGKILL'));
  const watch = new WorkerWatch(() => master.pid);
  onTestFinished(() => watch.stop());
  await watch.start();
  expect(childrenOf(master.pid!)).toEqual([]);
  expect(watch.look()).toBe(0);
});
