import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import type { TrafficPlan } from '../../../src/motan/resolution.ts';
import { activePlan, formatUpcoming, upcoming } from '../../../src/motan/schedule/active.ts';
import { parsePlan } from '../../../src/motan/schedule/plan.ts';
import { formatStatus, startSchedule } from '../../../src/motan/schedule/schedule.ts';
import { instantOf } from '../../../src/motan/schedule/zone-time.ts';

const EVENING = parsePlan('evening: a 70, b 20, cloud 10 from 19:00 to 23:00 Asia/Shanghai');
const at = (text: string): number => Date.parse(text);

describe('parsePlan', () => {
  it('reads a plan as people write it', () => {
    expect(
      parsePlan(
        'night: a 0, cloud 100% from 22:30 to 06:00 Europe/Berlin on mon-wed,sat for rs.a.6379 priority 5',
      ),
    ).toEqual({
      name: 'night',
      weights: { a: 0, cloud: 100 },
      from: '22:30',
      to: '06:00',
      timeZone: 'Europe/Berlin',
      days: [1, 2, 3, 6],
      target: 'rs.a.6379',
      priority: 5,
    });
    expect(parsePlan('w: a 1 from 00:00 to 24:00 UTC on fri-mon').days).toEqual([0, 1, 5, 6]);
  });

  it.each([
    ['evening', 'expected "evening:'],
    ['x: a 70 from 25:00 to 23:00 UTC', '"25:00" is no time'],
    ['x: a 70 from 19:61 to 23:00 UTC', '"19:61" is no time'],
    ['x: a 70 from 19:00 to 23:00 Mars/Base', 'no time zone "Mars/Base"'],
    ['x: a 0 from 19:00 to 23:00 UTC', 'one of them above 0'],
    ['x: a from 19:00 to 23:00 UTC', 'is no weight'],
    ['x: a 1 from 19:00 to 23:00 UTC on someday', 'are no days'],
    ['x: a 1 from 19:00 to 23:00 UTC priority high', 'whole number'],
    ['x: a 1, b 1, A 2 from 19:00 to 23:00 UTC', '"a" is there twice'],
    ['x: a 1 from 19:00 to 23:00 UTC on mon on tue', '"on" is there twice'],
    ['x: a 1 from 19:00 to 23:00 UTC for rs.a.99999', '"rs.a.99999" is neither'],
    ['x: a 1 from 19:00 to 23:00 UTC for r_s', '"r_s" is neither'],
  ])('says what is wrong with %s', (text, reason) => {
    expect(() => parsePlan(text)).toThrow(reason);
  });
});

describe('activePlan', () => {
  it.each([
    ['2026-11-23T10:59:59Z', undefined],
    ['2026-11-23T11:00:00Z', 'evening'],
    ['2026-11-23T14:59:59Z', 'evening'],
    ['2026-11-23T15:00:00Z', undefined],
  ])('is in its own time zone: at %s %s', (time, name) => {
    expect(activePlan([EVENING], at(time))?.plan.name).toBe(name);
  });

  it('goes over midnight from the day it begins on', () => {
    const night = parsePlan('night: a 1 from 22:00 to 06:00 UTC on fri');
    expect(activePlan([night], at('2026-11-27T22:00:00Z'))?.plan.name).toBe('night'); // Friday
    expect(activePlan([night], at('2026-11-28T05:59:00Z'))?.plan.name).toBe('night');
    expect(activePlan([night], at('2026-11-28T22:30:00Z'))).toBeUndefined();
    expect(activePlan([night], at('2026-11-27T05:00:00Z'))).toBeUndefined();
  });

  it('takes the higher priority, then the later start, then the first listed', () => {
    const long = parsePlan('long: a 1 from 08:00 to 20:00 UTC');
    const short = parsePlan('short: b 1 from 10:00 to 12:00 UTC');
    const strong = parsePlan('strong: b 1 from 07:00 to 11:00 UTC priority 1');
    const same = parsePlan('same: b 1 from 08:00 to 20:00 UTC');
    const name = (time: string, ...plans: (typeof long)[]): string | undefined =>
      activePlan(plans, at(`2026-11-23T${time}Z`))?.plan.name;
    expect(name('10:30', long, short)).toBe('short');
    expect(name('10:30', long, short, strong)).toBe('strong');
    expect(name('11:30', long, short, strong)).toBe('short');
    expect(name('13:00', long, short, strong)).toBe('long');
    expect(name('13:00', same, long)).toBe('same');
  });

  it('keeps to the clock where it is put back and forward', () => {
    // Europe/Berlin: forward on 2026-03-29 at 02:00, back on 2026-10-25 at 03:00.
    const plan = parsePlan('x: a 1 from 02:30 to 04:00 Europe/Berlin');
    const spring = activePlan([plan], at('2026-03-29T01:45:00Z'))!;
    expect([spring.start, spring.end]).toEqual([at('2026-03-29T01:30:00Z'), at('2026-03-29T02:00:00Z')]);
    const autumn = activePlan([plan], at('2026-10-25T01:10:00Z'))!;
    // It begins with the first 02:30 and does not stop while clocks show 02:00 to 02:29 again.
    expect([autumn.start, autumn.end]).toEqual([at('2026-10-25T00:30:00Z'), at('2026-10-25T03:00:00Z')]);
  });

  it('agrees with the segments of the coming week at every instant', () => {
    const plans = [
      EVENING,
      parsePlan('peak: b 1 from 20:00 to 21:30 Europe/Berlin on mon-fri'),
      parsePlan('night: cloud 1 from 22:00 to 07:15 America/New_York priority 1'),
    ];
    const from = at('2026-10-23T05:00:00Z');
    const week = upcoming(plans, from);
    expect(week[0]!.start).toBe(from);
    expect(week.at(-1)!.end).toBe(from + 7 * 86_400_000);
    fc.assert(
      fc.property(fc.nat(7 * 86_400_000 - 1), (after) => {
        const segment = week.find(({ start, end }) => from + after >= start && from + after < end)!;
        expect(activePlan(plans, from + after)?.plan).toBe(segment.plan);
      }),
    );
  });
});

describe('instantOf', () => {
  it('is the instant at which clocks show the time', () => {
    const zone = fc.constantFrom(
      'Asia/Shanghai',
      'America/New_York',
      'Australia/Lord_Howe',
      'Asia/Kathmandu',
      'UTC',
    );
    fc.assert(
      fc.property(zone, fc.integer({ min: 1, max: 365 }), fc.nat(1439), (timeZone, day, minutes) => {
        const date = new Date(Date.UTC(2026, 0, day));
        const calendar = { year: 2026, month: date.getUTCMonth() + 1, day: date.getUTCDate() };
        const shown = new Date(instantOf(calendar, minutes, timeZone)).toLocaleTimeString('en-GB', {
          timeZone,
        });
        const [hour, minute] = shown.split(':').map(Number);
        const off = Math.abs(hour! * 60 + minute! - minutes);
        // In the hour that clocks skip there is no such instant.
        expect([0, 30, 60]).toContain(off);
      }),
    );
  });
});

describe('the coming week', () => {
  it('is printed with overlaps', () => {
    const text = formatUpcoming(
      [EVENING, parsePlan('sale: cloud 1 from 20:00 to 21:00 Asia/Shanghai on mon priority 1')],
      at('2026-11-23T00:00:00Z'),
      'Asia/Shanghai',
      1,
    );
    expect(text).toBe(
      [
        'all names, times of Asia/Shanghai',
        '  Mon 2026-11-23 08:00  to  Mon 2026-11-23 19:00  no plan',
        '  Mon 2026-11-23 19:00  to  Mon 2026-11-23 20:00  evening: a 70, b 20, cloud 10',
        '  Mon 2026-11-23 20:00  to  Mon 2026-11-23 21:00  sale: cloud 1  (overlaps evening, which loses)',
        '  Mon 2026-11-23 21:00  to  Mon 2026-11-23 23:00  evening: a 70, b 20, cloud 10',
        '  Mon 2026-11-23 23:00  to  Tue 2026-11-24 08:00  no plan',
        '',
      ].join('\n'),
    );
  });
});

describe('startSchedule', () => {
  it('finds the right plan in the middle of it, changes at the edges and takes it back at the end', async () => {
    vi.useFakeTimers({ now: at('2026-11-23T14:59:50Z') });
    try {
      const told: (TrafficPlan | undefined)[] = [];
      const resolver = { plan: (_target: string, plan: TrafficPlan | undefined) => void told.push(plan) };
      const schedule = startSchedule({ resolver, plans: [EVENING] });
      expect(told).toEqual([{ weights: { a: 70, b: 20, cloud: 10 }, reason: 'schedule evening' }]);
      expect(formatStatus(schedule.status())).toBe(
        '*: evening (a 70, b 20, cloud 10) until 2026-11-23T15:00:00.000Z',
      );
      // node-cron is loaded when it is needed first.
      await vi.dynamicImportSettled();
      // The edge itself is told by node-cron, before the slow look-around.
      await vi.advanceTimersByTimeAsync(12_000);
      expect(told.at(-1)).toBeUndefined();
      expect(formatStatus(schedule.status())).toBe('*: no plan');
      vi.setSystemTime(at('2026-11-24T12:00:00Z'));
      schedule.evaluate();
      expect(told).toHaveLength(3);
      await schedule.close();
      expect(told).toHaveLength(4);
      expect(told.at(-1)).toBeUndefined();
    } finally {
      vi.useRealTimers();
    }
  });

  it('goes on with other plans without a moment in between, and keeps the old ones when the new cannot be used', async () => {
    const told: [string, TrafficPlan | undefined][] = [];
    const resolver = {
      plan: (target: string, plan: TrafficPlan | undefined) => {
        if (plan?.weights['mars'] !== undefined) throw new Error('no such IDC');
        told.push([target, plan]);
      },
    };
    const now = () => at('2026-11-23T12:00:00Z');
    const always = (name: string, weights: string, rest = '') =>
      parsePlan(`${name}: ${weights} from 00:00 to 24:00 UTC${rest}`);
    const schedule = startSchedule({
      resolver,
      now,
      plans: [always('one', 'a 1'), always('rs', 'b 1', ' for rs')],
    });
    expect(told.map(([target, plan]) => [target, plan?.reason])).toEqual([
      ['*', 'schedule one'],
      ['rs', 'schedule rs'],
    ]);
    told.length = 0;
    schedule.update([always('one', 'a 2'), always('db', 'b 1', ' for db')]);
    expect(told).toEqual([
      ['*', { weights: { a: 2 }, reason: 'schedule one' }],
      ['db', { weights: { b: 1 }, reason: 'schedule db' }],
      ['rs', undefined],
    ]);
    told.length = 0;
    schedule.update([always('one', 'a 2'), always('db', 'b 1', ' for db')]);
    expect(told).toEqual([]);
    const twice = always('one', 'b 1');
    expect(() => schedule.update([twice, twice])).toThrow('twice');
    expect(() => schedule.update([always('far', 'mars 1')])).toThrow('no such IDC');
    schedule.evaluate();
    expect(schedule.status().map(({ plan }) => plan)).toEqual(['one', 'db']);
    await schedule.close();
    expect(told).toEqual([
      ['*', undefined],
      ['db', undefined],
    ]);
  });

  it('refuses two plans of one name', () => {
    expect(() => startSchedule({ resolver: { plan: () => undefined }, plans: [EVENING, EVENING] })).toThrow(
      'twice',
    );
  });
});
