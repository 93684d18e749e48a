/** So many candidates are looked at in each turn at most, unless they would run out too often. */
const FEW = 96;

/**
 * The highest of many lines key + weight × turn as the turn goes on. In smooth round robin the winner's height hardly
 * changes from one turn to the next, and the winner falls far below it. So a bar lies a little below the top: the lines
 * above it are candidates, and all others wait in a calendar for the turn in which they reach it. A turn then costs the
 * same however many lines there are. Where the winners' heights do change (few weights far above all others), the bar
 * sinks and the candidates become more; with all lines among them it is nginx's own scan, and never worse.
 * The wheel owns the three lists, one entry per line, and says what changed in them.
 */
export class Calendar {
  private readonly room: number;
  private readonly keys: readonly number[];
  private readonly weights: readonly number[];
  /** Decides ties: the lower wins. */
  private readonly ranks: readonly number[];
  /** By day: the first line that waits for it, -1 for none. Days are turns modulo their number, a power of two. */
  private readonly firsts: number[] = [];
  private readonly lastDay: number;
  /** By line: the next one of the same day. */
  private readonly nexts: number[] = [];
  /** By line: its seat among the candidates; in the calendar, -2 - day; -1 nowhere. */
  private readonly seats: number[] = [];
  /** By seat: the candidate, and a copy of its key and weight, which are then next to each other. */
  private readonly lines: number[] = [];
  private readonly topKeys: number[] = [];
  private readonly topWeights: number[] = [];
  private size = 0;
  private readonly fewest: number;
  private few: number;
  private turn: number;
  /** A whole number, so that it is exact in which turn a line reaches it. */
  private bar = 0;
  /** How far below the top the bar was put last. */
  private band = 1;
  /** The turn in which the candidates last ran out, or `few` went down. */
  private changedAt: number;

  /** For at most `room` lines, a power of two, from `turn` on. */
  constructor(
    room: number,
    keys: readonly number[],
    weights: readonly number[],
    ranks: readonly number[],
    turn: number,
    fewest = FEW,
  ) {
    this.room = room;
    this.keys = keys;
    this.weights = weights;
    this.ranks = ranks;
    this.fewest = fewest;
    this.few = fewest;
    this.turn = turn;
    this.changedAt = turn;
    this.lastDay = 2 * room - 1;
    for (let day = 0; day <= this.lastDay; day++) this.firsts.push(-1);
    for (let line = 0; line < room; line++) {
      this.nexts.push(-1);
      this.seats.push(-1);
      this.lines.push(-1);
      this.topKeys.push(0);
      this.topWeights.push(0);
    }
    this.band = Math.max(1, (this.top() - this.bottom()) / 64);
    this.lower();
  }

  /** True when another line fits in. */
  hasRoom(lines: number): boolean {
    return lines <= this.room;
  }

  /** Must be called when the line at `place` came, went or changed in any way but by the turn. */
  touch(place: number): void {
    const seat = this.seats[place]!;
    if (seat >= 0) this.leave(seat);
    else if (seat < -1) this.strike(place, -2 - seat);
    this.seats[place] = -1;
    if (place < this.keys.length) this.put(place);
  }

  /** The place of the highest line; -1 when there is none. Turns must not go back. */
  best(turn: number): number {
    if (this.keys.length === 0) return -1;
    if (turn - this.turn > this.lastDay) {
      this.turn = turn;
      this.plan();
    }
    while (this.turn < turn) {
      this.turn += 1;
      this.open(this.turn & this.lastDay);
    }
    if (this.size === 0) this.runOut();
    const { topKeys, topWeights, lines, ranks, size } = this;
    let best = 0;
    let bestValue = -Infinity;
    for (let seat = 0; seat < size; seat++) {
      const value = topKeys[seat]! + topWeights[seat]! * turn;
      if (value > bestValue || (value === bestValue && ranks[lines[seat]!]! < ranks[lines[best]!]!)) {
        best = seat;
        bestValue = value;
      }
    }
    const winner = lines[best]!;
    if (size > this.fewest) this.review(bestValue);
    return winner;
  }

  /** Takes the lines of one day out of the calendar. */
  private open(day: number): void {
    let line = this.firsts[day]!;
    this.firsts[day] = -1;
    while (line >= 0) {
      const next = this.nexts[line]!;
      this.put(line);
      line = next;
    }
  }

  /** Makes a line a candidate, or lets it wait for the turn in which it reaches the bar. */
  private put(line: number): void {
    const key = this.keys[line]!;
    const weight = this.weights[line]!;
    const turns = Math.ceil((this.bar - key) / weight) - this.turn;
    if (turns <= 0) {
      const seat = this.size;
      this.size = seat + 1;
      this.lines[seat] = line;
      this.topKeys[seat] = key;
      this.topWeights[seat] = weight;
      this.seats[line] = seat;
    } else {
      // Who waits longer than the calendar reaches is put again on its last day.
      const day = (this.turn + Math.min(turns, this.lastDay)) & this.lastDay;
      this.nexts[line] = this.firsts[day]!;
      this.firsts[day] = line;
      this.seats[line] = -2 - day;
    }
  }

  private leave(seat: number): void {
    const last = this.size - 1;
    this.size = last;
    if (seat === last) return;
    const line = this.lines[last]!;
    this.lines[seat] = line;
    this.topKeys[seat] = this.topKeys[last]!;
    this.topWeights[seat] = this.topWeights[last]!;
    this.seats[line] = seat;
  }

  /** Days have few lines, so these need no links back. */
  private strike(line: number, day: number): void {
    const next = this.nexts[line]!;
    let before = this.firsts[day]!;
    if (before === line) {
      this.firsts[day] = next;
      return;
    }
    while (this.nexts[before] !== line) before = this.nexts[before]!;
    this.nexts[before] = next;
  }

  private review(top: number): void {
    if (4 * (this.turn - this.changedAt) > this.keys.length) {
      this.changedAt = this.turn;
      this.few = Math.max(this.fewest, this.few / 2);
    }
    if (this.size > this.few) this.raise(top);
  }

  /** Sends the lower candidates back. Those that wait for the old bar are put too early, which does no harm. */
  private raise(top: number): void {
    this.band = Math.max(1, Math.min(this.band, (top - this.bar) / 2));
    this.bar = Math.floor(top - this.band);
    for (let seat = this.size - 1; seat >= 0; seat--) {
      if (this.topKeys[seat]! + this.topWeights[seat]! * this.turn >= this.bar) continue;
      const line = this.lines[seat]!;
      this.leave(seat);
      this.put(line);
    }
    this.adapt();
  }

  /** No line reaches the bar. When that happens too often, more candidates are allowed: they make it rarer. */
  private runOut(): void {
    if (16 * (this.turn - this.changedAt) < this.keys.length) this.few = Math.min(2 * this.few, this.room);
    this.changedAt = this.turn;
    this.lower();
  }

  private lower(): void {
    this.bar = Math.floor(this.top() - this.band);
    this.plan();
    this.adapt();
  }

  /** Puts all lines, as those that wait for a higher bar would come too late. */
  private plan(): void {
    for (let day = 0; day <= this.lastDay; day++) this.firsts[day] = -1;
    this.size = 0;
    const count = this.keys.length;
    for (let line = 0; line < count; line++) this.put(line);
  }

  /** Half of the candidates allowed is best: it may then become more of them as well as fewer. */
  private adapt(): void {
    if (2 * this.size > this.few) this.band = Math.max(1, this.band / 2);
    else if (4 * this.size < this.few) this.band *= 2;
  }

  private top(): number {
    let top = -Infinity;
    const count = this.keys.length;
    for (let line = 0; line < count; line++)
      top = Math.max(top, this.keys[line]! + this.weights[line]! * this.turn);
    return top;
  }

  private bottom(): number {
    let bottom = Infinity;
    const count = this.keys.length;
    for (let line = 0; line < count; line++)
      bottom = Math.min(bottom, this.keys[line]! + this.weights[line]! * this.turn);
    return bottom;
  }
}
