import { describe, expect, it } from 'vitest';
import { createServer } from '../../src/upstream/server.ts';
import { formatAllUpstreams, showAnswer, shown } from '../../src/upsync/show.ts';

const TEST = shown('Test', [
  createServer('127.0.0.1:8088', { weight: 10, maxFails: 3 }),
  createServer('127.0.0.1:8089', { down: true }),
]);
const OTHER = { name: '127.0.0.1', lines: ['server 127.0.0.1:99 weight=0 max_fails=0 fail_timeout=0s;'] };
const TEST_TEXT =
  'Upstream name: Test; Backend server count: 2\n' +
  '        server 127.0.0.1:8088 weight=10 max_fails=3 fail_timeout=10s;\n' +
  '        server 127.0.0.1:8089 weight=1 max_fails=2 fail_timeout=10s down;\n';
const OTHER_TEXT =
  'Upstream name: 127.0.0.1; Backend server count: 1\n' +
  '        server 127.0.0.1:99 weight=0 max_fails=0 fail_timeout=0s;\n';

describe('upstream_show', () => {
  it.each([
    ['Test', TEST_TEXT],
    ['tEST', TEST_TEXT],
    ['test&x', 'The upstream you requested does not exist. Please double-check the name'],
    ['none', 'The upstream you requested does not exist. Please double-check the name'],
    ['', `${TEST_TEXT}\n${OTHER_TEXT}\n`],
    [undefined, `${TEST_TEXT}\n${OTHER_TEXT}\n`],
  ])('answers the query %s', (query, expected) => {
    expect(showAnswer([TEST, OTHER], query)).toBe(expected);
  });

  it('shows backups last, wherever they are in the list, as the workers do', () => {
    const { lines } = shown('t', [
      createServer('10.0.0.1:80', { backup: true }),
      createServer('10.0.0.2:80'),
    ]);
    expect(lines.map((line) => line.split(' ')[1])).toEqual(['10.0.0.2:80', '10.0.0.1:80']);
  });

  it('says so when there is no upstream', () => {
    expect(formatAllUpstreams([])).toBe('No upstreams defined');
  });

  it('shows an empty upstream', () => {
    expect(showAnswer([shown('e', [])], 'e')).toBe('Upstream name: e; Backend server count: 0\n');
  });
});
