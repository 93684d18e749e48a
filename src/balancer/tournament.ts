/**
 * The highest of many lines key + weight × turn as the turn goes on: a kinetic tournament. A match is played again only
 * when one of its sides changed or when the loser catches up, so a step costs about the logarithm of the number of lines.
 * The wheel owns the three lists, one entry per line, and says what changed in them.
 */
export class Tournament {
  private readonly keys: readonly number[];
  private readonly weights: readonly number[];
  /** Decides ties: the lower wins. */
  private readonly ranks: readonly number[];
  private readonly leaves: number;
  /** By match, 1 is the final: its winner (-1: nobody), and the turn when it or one below must be played again. */
  private readonly winners: number[] = [];
  private readonly due: number[] = [];
  private readonly queue: number[] = [];

  /** For at most `leaves` lines, a power of two. */
  constructor(leaves: number, keys: readonly number[], weights: readonly number[], ranks: readonly number[]) {
    this.leaves = leaves;
    this.keys = keys;
    this.weights = weights;
    this.ranks = ranks;
    for (let match = 0; match < leaves; match++) {
      this.winners.push(-1);
      this.due.push(-Infinity);
      this.queue.push(0);
    }
  }

  /** True when another line fits in. */
  hasRoom(lines: number): boolean {
    return lines <= this.leaves;
  }

  /** Must be called when the line at `place` came, went or changed in any way but by the turn. */
  touch(place: number): void {
    const due = this.due;
    let match = (place + this.leaves) >> 1;
    while (match > 0 && due[match] !== -Infinity) {
      due[match] = -Infinity;
      match = match >> 1;
    }
  }

  /** The place of the highest line; -1 when there is none. Turns must not go back. */
  best(turn: number): number {
    const due = this.due;
    const queue = this.queue;
    const leaves = this.leaves;
    if (due[1]! <= turn) {
      queue[0] = 1;
      let size = 1;
      for (let next = 0; next < size; next++) {
        const left = queue[next]! * 2;
        if (left >= leaves) continue;
        if (due[left]! <= turn) {
          queue[size] = left;
          size += 1;
        }
        if (due[left + 1]! <= turn) {
          queue[size] = left + 1;
          size += 1;
        }
      }
      for (let last = size - 1; last >= 0; last--) this.play(queue[last]!, turn);
    }
    return this.winners[1]!;
  }

  private play(match: number, turn: number): void {
    const left = match * 2;
    let first: number;
    let second: number;
    let due = Infinity;
    if (left < this.leaves) {
      first = this.winners[left]!;
      second = this.winners[left + 1]!;
      due = Math.min(this.due[left]!, this.due[left + 1]!);
    } else {
      const count = this.keys.length;
      first = left - this.leaves;
      second = first + 1;
      if (first >= count) first = -1;
      if (second >= count) second = -1;
    }
    if (first < 0 || second < 0) {
      this.winners[match] = Math.max(first, second);
      this.due[match] = due;
      return;
    }
    const gain = this.weights[second]! - this.weights[first]!;
    const lead = this.keys[first]! - this.keys[second]! - gain * turn;
    if (lead > 0 || (lead === 0 && this.ranks[first]! < this.ranks[second]!)) {
      this.winners[match] = first;
      // Whether level is enough is seen when it is played again.
      if (gain > 0) due = Math.min(due, turn + Math.max(1, Math.floor(lead / gain)));
    } else {
      this.winners[match] = second;
      if (gain < 0) due = Math.min(due, turn + Math.max(1, Math.floor(lead / gain)));
    }
    this.due[match] = due;
  }
}
