/** What one scenario needs of the run it belongs to. */
export interface Context {
  /** Rounds per measurement; each round runs every variant in fresh processes. */
  readonly rounds: number;
  /** 1 for the full run; smaller for `--quick`, which shortens every measurement. */
  readonly scale: number;
  readonly upsyncNginx?: string;
  /** Tells the person watching what is being measured. */
  step(text: string): void;
}

export interface Table {
  readonly caption: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** Horizontal bars with a line from the smallest to the largest round. */
export interface Plot {
  /** File name without folder, `churn-p99.svg`. */
  readonly file: string;
  readonly title: string;
  readonly unit: string;
  readonly logarithmic?: boolean;
  readonly bars: readonly {
    readonly label: string;
    readonly median: number;
    readonly min: number;
    readonly max: number;
  }[];
}

/** One of the goals, and what was measured. */
export interface Goal {
  readonly text: string;
  readonly measured: string;
  readonly met: boolean;
  /** What keeps it from being met, in sentences made of what was measured; shown when it is missed. */
  readonly why?: string;
  /** What shows it: where the time or the memory goes. Shown with `why`. */
  readonly profile?: Table;
}

export interface ScenarioReport {
  readonly name: string;
  readonly title: string;
  /** Raised when the way of measuring changes so that numbers before and after cannot be compared. @default 1 */
  readonly revision?: number;
  /** What was done, in a few sentences, so that a reader could repeat it. */
  readonly method: string;
  readonly tables: readonly Table[];
  readonly plots: readonly Plot[];
  readonly goals: readonly Goal[];
  /** Numbers for `--compare`: name → the rounds' values. */
  readonly measures: Readonly<Record<string, readonly number[]>>;
}

export interface Scenario {
  readonly name: string;
  readonly title: string;
  /** Roughly how long the full run of three rounds takes on two cores. */
  readonly minutes: number;
  /** The part of it that is done once, however many rounds there are. @default 0 */
  readonly minutesOnce?: number;
  run(context: Context): Promise<ScenarioReport>;
}
