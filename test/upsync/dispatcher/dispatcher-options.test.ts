import { describe, expect, it } from 'vitest';
import {
  type DispatcherOptions,
  UpsyncDispatcher,
} from '../../../src/upsync/dispatcher/upsync-dispatcher.ts';

describe('UpsyncDispatcher refuses', () => {
  it.each<[object, RegExp]>([
    [{ balancer: { method: 'least_con' } }, /balancer\.method to be one of round_robin, .*, got "least_con"/],
    [{ balancer: { seed: 1.5 } }, /balancer\.seed to be a whole number, got 1\.5/],
    [{ balancer: { loadFactor: 0.5 } }, /balancer\.loadFactor to be a number from 1, got 0\.5/],
    [{ nextUpstream: ['error', 'http_418'] }, /nextUpstream to be one of error, .*, got "http_418"/],
    [{ nextUpstreamTries: -1 }, /nextUpstreamTries to be a whole number from 0, got -1/],
    [{ nextUpstreamTimeoutMs: Number.NaN }, /nextUpstreamTimeoutMs to be milliseconds from 0, got NaN/],
  ])('%o, which no compiler may have seen', (wrong, message) => {
    const options = { upstream: 'api', ...wrong } as DispatcherOptions;
    expect(() => new UpsyncDispatcher(options)).toThrow(RangeError);
    expect(() => new UpsyncDispatcher(options)).toThrow(message);
  });

  it('nothing that is at the edge of its range', () => {
    const balancer = { method: 'bounded_hash', seed: 0, loadFactor: 1 } as const;
    const nextUpstream = ['off'] as const;
    const limits = { nextUpstreamTries: 0, nextUpstreamTimeoutMs: 0 };
    expect(new UpsyncDispatcher({ upstream: 'api', balancer, nextUpstream, ...limits }).servers).toEqual([]);
  });
});
