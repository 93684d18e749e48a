import type { Scenario } from '../scenario.ts';
import { balancers } from './balancers.ts';
import { churn } from './churn.ts';
import { dispatcher } from './dispatcher.ts';
import { propagation } from './propagation.ts';
import { resolver } from './resolver.ts';
import { scale } from './scale.ts';
import { scaleOut } from './scale-out.ts';
import { steady } from './steady.ts';

/** Every scenario, in the order of a whole run. */
export const SCENARIOS: readonly Scenario[] = [
  steady,
  churn,
  propagation,
  scale,
  scaleOut,
  balancers,
  dispatcher,
  resolver,
];
