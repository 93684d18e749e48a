/** One question that Motan's own classes and ours both answer. */
export interface PatternCase {
  readonly expression: string;
  readonly path: string;
}

export interface CommandCase {
  readonly path: string;
  readonly group: string;
  readonly localIp: string;
  readonly mixGroups?: string;
  readonly nodes: Readonly<Record<string, readonly string[]>>;
  readonly command: string;
}

const NODES = {
  'rs.a': ['10.1.0.1:8001', '10.1.0.2:8001'],
  'rs.b': ['10.2.0.1:8001', '10.2.0.2:8001', '10.2.0.3:8001'],
  cloud: ['172.16.0.1:8001'],
  empty: [],
};

/** Cases by hand: every rule of the pattern language and of the evaluation, and every way known to break it. */
export function handMadeCases(): (PatternCase | CommandCase)[] {
  const patterns = [
    'com.x.Y', 'com.*', '*', 'com.*.B', 'com.x.Y & !com.z.*', '!com.x.Y', '!!com.x.Y', '(com.x.Y)', '((com.*))', '!(a|com.x.Y)',
    'a | com.x.Y & b', '(a | com.x.Y) & b', 'a & b | com.x.Y', '&com.x.Y', '|com.x.Y', '|a', '&a | com.x.Y', '(&com.x.Y)', '(|com.x.Y)',
    '', ' ', 'a||b', 'a&&b', 'a,b', 'a-b', 'a:b', 'a/b', '(a', 'a)', ')', '()', 'a&', 'a|', '!', '!&a', 'a!', 'a(b)', '(a)b', '(a)(b)',
    '0', '1', '0|1', 'com . x . Y', 'c o m.*', 'com.x.Y\n|\ta', '$a_b.1*', 'a\u00a0|com.x.Y', '(a|)', '(com.*|)', '&', '|', '|!a', '&!a',
    '!(!(com.x.Y))', 'com.x.Y|', '**', 'com.x.Y*', 'com.x.Yy', '!*', '* & !com.x.Y', '!a & !b', '!(a) & !(b)', '(!a)', 'a|(b|(c|com.x.*))',
  ]; // prettier-ignore
  const merges = [
    [], ['rs.a'], ['rs.a', 'rs.b'], ['rs.a:1', 'rs.b:2'], ['rs.a:0', 'rs.b:1000'], ['rs.a:-3', 'rs.b:+7'], ['rs.a', 'rs.b:3'],
    ['rs.b:9'], ['rs.b:9', 'rs.b:4'], ['rs.a:1', 'rs.b:2', 'rs.a:8'], [''], [':5'], ['', 'rs.b:2'], ['rs.a:', 'rs.b'], ['rs.a::5', 'rs.b:2'],
    ['rs.a:2:3', 'rs.b'], ['rs.a: 5', 'rs.b:2'], ['rs.a:x', 'rs.b:2.5'], ['rs.a:99999999999', 'rs.b:2'], ['none:3', 'rs.a:1'],
    ['empty:3', 'rs.a:1'], ['empty'], ['rs.a:5', 'rs.b:1', 'cloud:1'], ['rs.a:100', 'rs.b:101', 'cloud:99'], [' rs.a', 'rs.b'], [1, 'rs.a'],
    'rs.b', [':'], ['rs.a', ':'], ['rs.a', '::'],
  ]; // prettier-ignore
  const rules = [
    ['* to 10.1.*'], ['10.9.* to 10.1.*'], ['10.1.0.9 to !10.1.*'], ['!10.1.* to 172.*'], ['!10.3.* to 10.2.*', '* to !10.2.0.1'],
    ['10.1.0.9to10.2.0.1'], ['10.1.0.9 to 10.2.0.1 to'], ['to 10.2.0.1'], ['10.1.0.9 to'], ['a to b'], ['* to 1*0.1'], ['! to 10.2.0.1'],
    ['!* to 10.2.0.1'], ['* to !'], ['* to 10.8.*'], ['1 0.1.* t o 10.2.*'], ['*to*to*'], [], '* to 10.2.*',
  ]; // prettier-ignore
  const one = (entry: object): string => JSON.stringify({ clientCommandList: [{ pattern: '*', ...entry }] });
  const list = (...entries: object[]): string => JSON.stringify({ clientCommandList: entries });
  const b = { pattern: '*', mergeGroups: ['rs.b'] };
  const cloud = { pattern: '*', mergeGroups: ['cloud'] };
  const texts = [
    '', 'null', '[]', '{}', '5', 'x', '{"clientCommandList":null}', '{"clientCommandList":[]}', '{"clientCommandList":{}}', '{"clientCommandList":[',
    list(b, cloud), list(cloud, b, b), list({ ...b, index: 1 }, cloud), list({ ...b, index: 2 }, { ...cloud, index: -1 }),
    list({ ...b, index: 1 }, { ...cloud, index: 1 }), list({ ...b, index: '3' }, { ...cloud, index: 2 }), list({ ...b, commandType: 1 }, cloud),
    list({ ...b, commandType: 2 }), list({ ...b, commandType: 0 }), list({ ...b, commandType: null }, cloud), list({ ...b, pattern: null }, cloud),
    list({ ...b, pattern: '' }, cloud), list({ ...b, pattern: 'no' }), list({ pattern: '*' }), list({ ...b, pattern: 'com.x.*' }, cloud),
    list({ ...b, index: 1.7 }, { ...cloud, index: 1 }), list({ ...b, index: '' }, { ...cloud, index: 0 }),
    "{clientCommandList:[{pattern:'*',mergeGroups:['rs.b',],},],}",
    '/* peak */ {"clientCommandList":[{"pattern":"*","mergeGroups":["rs.b"]}]}',
    '{"clientCommandList":[{"pattern":"*","mergeGroups":["rs.b"]}]} rest',
    '\ufeff{"clientCommandList":[{"pattern":"*","mergeGroups":["rs.b"]}]}',
    '{"clientCommandList":[{"pattern":\'com."x\',"mergeGroups":["rs.b"]}]}',
    '{"clientCommandList":[{"pattern":"*" "mergeGroups":["rs.b"]}]}',
    '{"ClientCommandList":[{"Pattern":"*","merge_groups":["rs.b"]}]}',
  ]; // prettier-ignore
  const entry = '"pattern":"*","mergeGroups":["rs.b"]';
  const tolerated = [
    `{"clientCommandList":{${entry}}}`, `{"clientCommandList":[{"remark":"two\nlines\tand a tab",${entry}}]}`,
    '{"clientCommandList":[{"pattern":"com.*\n| x","mergeGroups":["rs.b"]}]}', `{'clientCommandList':[{'remark':'it\\'s \\"on\\"',${entry}}]}`,
    `{,"clientCommandList":[,{,,${entry},,},,],}`, '{"clientCommandList":[{"pattern":"*","mergeGroups":["rs.a" "rs.b"]}]}',
    '{"clientCommandList":[{"pattern":"*","mergeGroups":["rs\\x2eb","cl\\u006fud"]}]}', `{"clientCommandList":[{"remark":"\\v\\7\\F\\/",${entry}}]}`,
    `{"clientCommandList":[{"remark":"\\a",${entry}}]}`, `{"clientCommandList":[{"remark":"\\u12",${entry}}]}`,
    ...['01', '+1', '1.', '1L', '1e2', '"1.0"', '"+1"', '"null"', 'true', '1l', '[1]', '{}', '"x"', '" 1"', '2147483648', '-2147483649'].map(
      (index) => `{"clientCommandList":[{"index":${index},${entry}}]}`,
    ),
    ...['00', '"0"', '"x"', '"1e2"', '[0]', '0.9', 'false'].map((type) => `{"clientCommandList":[{"commandType":${type},${entry}}]}`),
  ]; // prettier-ignore
  const base = { path: 'com.x.Y', group: 'rs.a', localIp: '10.1.0.9', nodes: NODES };
  return [
    ...patterns.map((expression) => ({ expression, path: 'com.x.Y' })),
    ...merges.map((mergeGroups) => ({ ...base, command: one({ mergeGroups }) })),
    ...rules.map((routeRules) => ({
      ...base,
      command: one({ mergeGroups: ['rs.a', 'rs.b', 'cloud'], routeRules }),
    })),
    { ...base, command: one({ mergeGroups: ['rs.a:1', 'rs.b:2'], routeRules: ['* to 10.2.*'] }) },
    { ...base, command: one({ routeRules: ['* to 10.1.0.1'] }) },
    ...[...texts, ...tolerated].map((command) => ({ ...base, command })),
    ...['rs.b', ' rs.b , rs.a ,, cloud', 'rs.a', ' ', 'rs.b:3', 'rs.b,rs.b', 'empty'].map((mixGroups) => ({
      ...base,
      mixGroups,
      command: '',
    })),
    { ...base, mixGroups: 'rs.b', command: list({ ...cloud, pattern: 'no' }) },
    { ...base, mixGroups: 'rs.b', command: list(cloud) },
  ];
}

/** Cases by chance, the same for the same seed. */
export function randomCases(count: number, seed: number): (PatternCase | CommandCase)[] {
  let state = seed >>> 0;
  const below = (n: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
  const pick = <T>(...from: T[]): T => from[below(from.length)]!;
  const many = <T>(most: number, make: () => T): T[] => Array.from({ length: below(most + 1) }, make);
  const pattern = (): string =>
    many(7, () =>
      pick('a', 'com.x.Y', 'com.*', '*', '!', '&', '|', '(', ')', ' ', 'b', '1', '0', '!', '(', ')'),
    ).join('');
  const group = (): string => pick('rs.a', 'rs.b', 'cloud', 'empty', 'none');
  const merge = (): string =>
    group() + pick('', '', ':1', ':5', ':0', ':-2', ':100', ':101', ':x', ':', ':07', ':1e3');
  const side = (): string =>
    pick('', '!', '') + pick('10.1.*', '10.*', '*', '10.2.0.1', '10.1.0.9', '172.16.0.1', '', '1.2.3.4', 'x');
  const rule = (): string => side() + pick(' to ', 'to', ' TO ', ' to to ', '\tto ') + side();
  const command = (): object => ({
    ...(below(2) === 0 ? {} : { index: pick<number | null>(null, 0, 1, 2, 3) }),
    ...(below(4) === 0 ? { commandType: below(3) } : {}),
    pattern: pick('*', 'com.*', 'com.x.Y', 'no', 'com.x.Y & !b', '!com.*', 'a | com.x.*', '(a | b) & com.*'),
    ...(below(4) === 0 ? {} : { mergeGroups: many(4, merge) }),
    ...(below(2) === 0 ? {} : { routeRules: many(3, rule) }),
  });
  return Array.from({ length: count }, (_, at) =>
    at % 2 === 0
      ? { expression: pattern(), path: pick('com.x.Y', 'a', 'b', '1') }
      : {
          path: 'com.x.Y',
          group: group(),
          localIp: pick('10.1.0.9', '10.2.0.1', '172.16.0.7'),
          ...(below(3) === 0 ? { mixGroups: many(3, group).join(',') } : {}),
          nodes: NODES,
          command: JSON.stringify({ clientCommandList: many(4, command) }),
        },
  );
}
