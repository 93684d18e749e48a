import { describe, expect, it } from 'vitest';
import type { Source, SourceList } from '../../../src/discovery/source.ts';
import { firstLists } from '../../../src/sidecar/supervisor/strong-dependency.ts';
import { createServer } from '../../../src/upstream/server.ts';
import type { UpstreamPlan } from '../../../src/upsync/upstream-plan.ts';

const plan = (name: string, strongDependency = true, allowEmpty = false): UpstreamPlan => ({
  name,
  source: { type: 'consul', addresses: [], path: '/', intervalMs: 1, timeoutMs: 1 },
  strongDependency,
  allowEmpty,
  dumpPath: '/dev/null',
  balancer: { method: 'round_robin', seed: 0, loadFactor: 1.25 },
  initial: [],
  where: `nginx.conf:${name.length}`,
});
const list: SourceList = { servers: [createServer('10.0.0.1:80')], rejected: [] };
const never = new AbortController().signal;

function source(answers: readonly (SourceList | Error | 'silence')[]): {
  open: () => Source;
  asked: () => number;
} {
  let asked = 0;
  return {
    asked: () => asked,
    open: () => ({
      description: 'fake',
      async *lists(signal) {
        const answer = answers[Math.min(asked++, answers.length - 1)]!;
        if (answer === 'silence') {
          await new Promise((resolve) => signal.addEventListener('abort', resolve));
          return;
        }
        if (answer instanceof Error) throw answer;
        yield answer;
      },
    }),
  };
}

describe('strong_dependency', () => {
  it('gives the first list of each upstream that asks for it', async () => {
    const { open, asked } = source([list]);
    const lists = await firstLists([plan('a'), plan('bb', false)], { open }, never);
    expect([...lists]).toEqual([['a', list]]);
    expect(asked()).toBe(1);
  });

  it('asks again after a failure', async () => {
    const { open, asked } = source([new Error('refused'), new Error('refused'), list]);
    expect((await firstLists([plan('a')], { open, pauseMs: 1 }, never)).size).toBe(1);
    expect(asked()).toBe(3);
  });

  it('waits some seconds for a registry that is started together with nginx', async () => {
    const late = [...Array.from({ length: 15 }, () => new Error('refused')), list];
    const { open, asked } = source(late);
    expect((await firstLists([plan('a')], { open, pauseMs: 1 }, never)).size).toBe(1);
    expect(asked()).toBe(16);
  });

  it('names every upstream that got no list, with the reason and the place', async () => {
    const { open } = source([new Error('connection refused')]);
    await expect(firstLists([plan('a'), plan('bb')], { open, pauseMs: 1 }, never)).rejects.toMatchObject({
      code: 'STRONG_DEPENDENCY',
      message: expect.stringMatching(
        /upstream "a" .*connection refused in nginx\.conf:1\nupstream "bb" .*connection refused in nginx\.conf:2/,
      ),
    });
  });

  it('does not take an empty list for an answer unless the upstream believes it', async () => {
    const empty: SourceList = { servers: [], rejected: [] };
    await expect(firstLists([plan('a')], { ...source([empty]), pauseMs: 1 }, never)).rejects.toThrow(
      'no usable server',
    );
    expect((await firstLists([plan('a', true, true)], source([empty]), never)).get('a')).toBe(empty);
  });

  it('ends after its bound when the registry is silent', async () => {
    await expect(firstLists([plan('a')], { ...source(['silence']), boundMs: 30 }, never)).rejects.toThrow(
      'no answer within 0.03 s',
    );
  });

  it('ends when nginx is to stop', async () => {
    const stop = new AbortController();
    const wait = firstLists([plan('a')], source(['silence']), stop.signal);
    stop.abort(new Error('stopped by SIGTERM'));
    await expect(wait).rejects.toThrow('stopped by SIGTERM');
  });
});
