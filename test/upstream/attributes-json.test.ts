import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readAttributeFields, readJsonAttributes } from '../../src/upstream/attributes-json.ts';
import { createServer, SERVER_DEFAULTS } from '../../src/upstream/server.ts';

const read = (text: string) => {
  const { attributes, problems } = readJsonAttributes(text, 'upstreams/test/10.0.0.1:80');
  const changed = Object.entries(attributes).filter(
    ([key, value]) => SERVER_DEFAULTS[key as keyof typeof SERVER_DEFAULTS] !== value,
  );
  return { set: Object.fromEntries(changed), codes: problems.map((problem) => problem.code) };
};

describe('readJsonAttributes, the table of nginx-upsync-module', () => {
  it.each([
    ['', {}, 0],
    ['{}', {}, 0],
    ['{"weight":5,"max_fails":3,"fail_timeout":7,"down":1}', full(), 0],
    ['{"weight":"5","max_fails":"3","fail_timeout":"7","down":"1"}', full(), 0],
    ['{"WEIGHT":5,"Max_Fails":3,"FAIL_timeout":7,"Down":true}', full(), 0],
    ['{"weight":2.9}', { weight: 2 }, 0],
    ['{"weight":true}', {}, 0],
    ['{"weight":0}', {}, 1],
    ['{"weight":-3}', {}, 1],
    ['{"weight":0.4}', {}, 1],
    ['{"weight":null}', {}, 1],
    ['{"weight":"ten"}', {}, 1],
    ['{"weight":""}', {}, 1],
    ['{"weight":" 5"}', {}, 1],
    ['{"weight":1e400}', { weight: 1_000_000 }, 1],
    ['{"weight":3,"WEIGHT":9}', { weight: 3 }, 0],
    ['{"weight":3,"weight":9}', { weight: 3 }, 0],
    ['{"WEIGHT":3,"weight":9,"WEIGHT":8}', { weight: 3 }, 0],
    ['{"weight":05}', { weight: 5 }, 0],
    ['{"weight":010}', { weight: 10 }, 0],
    ['{"weight":3e}', { weight: 3 }, 0],
    ['{"weight":2e1}', { weight: 20 }, 0],
    ['{"weight":2E+1}', { weight: 20 }, 0],
    ['{"weight":25e-1}', { weight: 2 }, 0],
    ['{"weight":"2e1"}', {}, 1],
    ['{"weight":"05"}', { weight: 5 }, 0],
    ['{"weight":"٥"}', {}, 1],
    ['{"weight":5,"path":"C:\\data"}', { weight: 5 }, 0],
    ['{"weight":5,"note":"two\nlines\tand tabs"}', { weight: 5 }, 0],
    ['{\f"weight"\v:\u000b5}', { weight: 5 }, 0],
    ['{"w\\u0065ight":5}', { weight: 5 }, 0],
    ['{"note":"a \\"quoted\\" word","weight":5}', { weight: 5 }, 0],
    ['{"a":{"weight":9},"b":[{"weight":9}],"weight":5}', { weight: 5 }, 0],
    ['{"max_fails":0}', { maxFails: 0 }, 0],
    ['{"max_fails":null}', { maxFails: 0 }, 0],
    ['{"max_fails":-1}', {}, 0],
    ['{"max_fails":-0.5}', { maxFails: 0 }, 0],
    ['{"max_fails":"-1"}', {}, 1],
    ['{"max_fails":"many"}', {}, 1],
    ['{"max_fails":[]}', {}, 1],
    ['{"fail_timeout":null}', { failTimeoutMs: 0 }, 0],
    ['{"fail_timeout":-1}', {}, 0],
    ['{"fail_timeout":"10s"}', {}, 1],
    ['{"fail_timeout":2.7}', { failTimeoutMs: 2000 }, 0],
    ['{"fail_timeout":99999999999}', { failTimeoutMs: 2_147_483_000 }, 1],
    ['{"down":false}', {}, 0],
    ['{"down":null}', {}, 0],
    ['{"down":"0"}', {}, 0],
    ['{"down":2}', {}, 1],
    ['{"down":"true"}', {}, 1],
    ['{"backup":1}', { backup: true }, 0],
    ['{"weight":5} trailing', { weight: 5 }, 0],
    ['  {"weight":5}}}', { weight: 5 }, 0],
    ['{"weight":5,"x":"}\\"]"} , {"weight":6}', { weight: 5 }, 0],
    ['{"weight":5}\u0000\u0000', { weight: 5 }, 0],
    ['[{"weight":5}]', {}, 0],
    ['5', {}, 0],
    ['null', {}, 0],
    ['"weight"', {}, 0],
    ['{"colour":"red","max_connections":3}', {}, 0],
  ])('%s', (text, set, problems) => {
    const result = read(text);
    expect(result.set).toEqual(set);
    expect(result.codes).toEqual(Array.from({ length: problems }, () => 'BAD_ATTRIBUTE'));
  });

  it.each([
    '{"weight":5',
    '{"weight":5,}',
    '{"weight":00}',
    '{"weight":+5}',
    '{"weight":.5}',
    'weight=5',
    '{weight:5}',
    '<html>',
    '{"a":',
    '"',
    '\ufeff{}',
    '-',
    '['.repeat(9000),
  ])('keeps the server with defaults when the value is %s', (text) => {
    expect(read(text)).toEqual({ set: {}, codes: ['BAD_JSON'] });
  });

  function full() {
    return { weight: 5, maxFails: 3, failTimeoutMs: 7000, down: true };
  }
});

describe('readJsonAttributes, what the module lacks', () => {
  it.each([
    ['{"max_conns":100,"slow_start":30,"drain":1}', { maxConns: 100, slowStartMs: 30_000, drain: true }, 0],
    ['{"max_conns":"7","slow_start":"1m30s"}', { maxConns: 7, slowStartMs: 90_000 }, 0],
    ['{"slow_start":"500ms"}', { slowStartMs: 500 }, 0],
    ['{"slow_start":"soon"}', {}, 1],
    ['{"slow_start":-1}', {}, 1],
    ['{"slow_start":{}}', {}, 1],
    ['{"max_conns":"none"}', {}, 1],
  ])('%s', (text, set, problems) => {
    const result = read(text);
    expect(result.set).toEqual(set);
    expect(result.codes).toHaveLength(problems);
  });

  it('does not parse a value longer than attributes can be', () => {
    expect(read(`{"x":"${'a'.repeat(20_000)}","weight":5}`).codes).toEqual(['VALUE_TOO_LONG']);
  });

  it('is not led astray by fields named like parts of an object', () => {
    const { attributes } = readJsonAttributes('{"__proto__":{"weight":9},"constructor":1,"weight":2}', 'x');
    expect(attributes.weight).toBe(2);
    expect(Object.getPrototypeOf(attributes)).toBe(Object.prototype);
    expect(({} as Record<string, unknown>)['weight']).toBeUndefined();
  });

  it('always yields attributes within their ranges', () => {
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.string()), fc.jsonValue(), (text, value) => {
        const named = { weight: value, max_fails: value, fail_timeout: value, max_conns: value, down: value };
        for (const { attributes } of [readJsonAttributes(text, 'x'), readAttributeFields(named, 'x')]) {
          const server = createServer('10.0.0.1:80', attributes);
          expect(server.weight).toBeGreaterThanOrEqual(1);
          expect(server.weight).toBeLessThanOrEqual(1_000_000);
          for (const count of [server.maxFails, server.maxConns, server.slowStartMs])
            expect(Number.isSafeInteger(count) && count >= 0).toBe(true);
          expect(server.failTimeoutMs % 1000).toBe(0);
        }
      }),
    );
  });
});
