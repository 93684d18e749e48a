import { UpsyncError } from '../upstream/errors.ts';
import type { TrafficPlan } from './resolution.ts';
import type { Topology } from './topology.ts';

/**
 * A frozen copy of a plan that the topology can follow.
 * @throws {UpsyncError} BAD_PLAN for an unknown IDC, a negative weight, or no weight above 0.
 */
export function checkedPlan(plan: TrafficPlan, topology: Topology): TrafficPlan {
  const bad = (why: string): UpsyncError =>
    new UpsyncError('BAD_PLAN', `${why}; the plan before stays in force`);
  const weights = Object.entries(plan.weights);
  const unknown = weights.find(([idc]) => !topology.idcs.has(idc));
  if (unknown !== undefined)
    throw bad(`the traffic plan names ${JSON.stringify(unknown[0])}, which is no configured IDC`);
  if (
    weights.some(([, weight]) => !(weight >= 0 && Number.isFinite(weight))) ||
    weights.every(([, weight]) => weight === 0)
  )
    throw bad('a traffic plan needs weights of 0 or more, one of them above 0');
  return Object.freeze({ weights: Object.freeze({ ...plan.weights }), reason: plan.reason });
}
