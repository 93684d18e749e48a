import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readTagAttributes } from '../../src/upstream/attributes-tags.ts';
import { SERVER_DEFAULTS } from '../../src/upstream/server.ts';

const read = (tags: unknown) => {
  const { attributes, problems } = readTagAttributes(tags, 'web-1');
  const changed = Object.entries(attributes).filter(
    ([key, value]) => SERVER_DEFAULTS[key as keyof typeof SERVER_DEFAULTS] !== value,
  );
  return { set: Object.fromEntries(changed), problems: problems.length };
};

describe('readTagAttributes', () => {
  it.each<[unknown, object, number]>([
    [null, {}, 0],
    [undefined, {}, 0],
    ['weight=3', {}, 0],
    [{ 0: 'weight=3' }, {}, 0],
    [[], {}, 0],
    [['weight=3', 'max_fails=0', 'fail_timeout=7'], { weight: 3, maxFails: 0, failTimeoutMs: 7000 }, 0],
    [['fail_timeout=30s'], { failTimeoutMs: 30_000 }, 0],
    [['fail_timeout=1m'], { failTimeoutMs: 60_000 }, 0],
    [['fail_timeout=1h30m'], { failTimeoutMs: 5_400_000 }, 0],
    [['fail_timeout=500ms'], {}, 1],
    [['fail_timeout=1000ms'], {}, 1],
    [['fail_timeout='], {}, 1],
    [['weight=3', 'weight=5'], { weight: 5 }, 0],
    [['weight=3', 'weight=x'], { weight: 3 }, 1],
    [['weight=3', 'weight=0'], { weight: 3 }, 1],
    [['weight=4 '], {}, 1],
    [[' weight=4'], {}, 0],
    [['Weight=3', 'down=1', 'DOWN'], {}, 0],
    [['down', 'backup'], { down: true, backup: true }, 0],
    [['drain', 'max_conns=9', 'slow_start=500ms'], { drain: true, maxConns: 9, slowStartMs: 500 }, 0],
    [['max_conns=-1', 'slow_start=now'], {}, 2],
    [['weight=70000'], { weight: 70_000 }, 0],
    [['weight=1000001'], { weight: 1_000_000 }, 1],
    [[3, null, ['weight=2'], 'blue', '='], {}, 0],
  ])('%j', (tags, set, problems) => {
    expect(read(tags)).toEqual({ set, problems });
  });

  it('starts from the defaults it is given', () => {
    const { attributes } = readTagAttributes(['down'], 'x', { ...SERVER_DEFAULTS, weight: 8 });
    expect(attributes).toMatchObject({ weight: 8, down: true });
  });

  it('never throws', () => {
    fc.assert(fc.property(fc.anything(), (tags) => void readTagAttributes(tags, 'x')));
  });
});
