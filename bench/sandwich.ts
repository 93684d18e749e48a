/** One measurement of a plan: `base` marks those that the others are compared to. */
export interface Planned {
  readonly base: boolean;
}

/** The nearest base before and the nearest after, one of them twice where there is only one. */
export interface Neighbours<T> {
  readonly before: T;
  readonly after: T;
}

/**
 * The bases around one measurement of a sequence, itself excluded: what is compared to both of them is not mistaken for the drift
 * of the machine. Throws when there is none on either side.
 */
export function neighbours<T extends Planned>(sequence: readonly T[], at: number): Neighbours<T> {
  const before = sequence.slice(0, at).reverse().find(isBase);
  const after = sequence.slice(at + 1).find(isBase);
  const [first, second] = [before ?? after, after ?? before];
  if (first === undefined || second === undefined)
    throw new Error('a sequence without a base beside what is compared');
  return { before: first, after: second };
}

/** Every second base, where others stand on both sides: compared to those, it shows the noise that any ratio has. */
export function controls(sequence: readonly Planned[]): number[] {
  const bases = sequence.flatMap((one, at) => (one.base ? [at] : []));
  return bases.filter((_, at) => at % 2 === 1 && at < bases.length - 1);
}

function isBase({ base }: Planned): boolean {
  return base;
}
