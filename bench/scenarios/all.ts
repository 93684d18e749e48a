import type { Scenario } from '../scenario.ts';
import { churn } from './churn.ts';
import { steady } from './steady.ts';

/** Every scenario, in the order of a whole run. */
export const SCENARIOS: readonly Scenario[] = [steady, churn];
