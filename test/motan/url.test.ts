import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeForm, encodeForm } from '../../src/motan/form-encoding.ts';
import {
  canServe,
  createMotanUrl,
  formatMotanUrl,
  formatUrlTag,
  parseMotanUrl,
  readUrlTag,
  withParameters,
} from '../../src/motan/url.ts';

describe('form encoding', () => {
  it('encodes as Java does', () => {
    expect(encodeForm("aZ09 *-_.~!'()/:?&=你😀\ud800x")).toBe(
      'aZ09+*-_.%7E%21%27%28%29%2F%3A%3F%26%3D%E4%BD%A0%F0%9F%98%80%3Fx',
    );
  });

  it('decodes as Java does', () => {
    expect(decodeForm('a+b%20%e4%BD%A0')).toBe('a b 你');
    expect(decodeForm('%ff%41')).toBe('\ufffdA');
  });

  it.each(['%zz', '%-1', 'a%4', 'a%'])('refuses %j, as Java does', (text) => {
    expect(() => decodeForm(text)).toThrow('hexadecimal');
  });

  it('gives back any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(decodeForm(encodeForm(text))).toBe(text);
      }),
    );
  });
});

describe('parseMotanUrl', () => {
  it.each([
    [
      'motan2://10.1.2.3:8002/com.x.Y?a=1&b=a%2Bb&c&export=motan2%3A8002&',
      'motan2',
      '10.1.2.3',
      8002,
      'com.x.Y',
    ],
    ['motan://h/p', 'motan', 'h', 0, 'p'],
    ['motan:/p?x=1', 'motan', '', 0, 'p'],
    ['motan://h:80', 'motan', 'h', 80, ''],
    ['motan://h:80//p/', 'motan', 'h', 80, '/p/'],
    ['motan://h:80/p%41', 'motan', 'h', 80, 'p%41'],
  ])('reads %s', (text, protocol, host, port, path) => {
    expect(parseMotanUrl(text)).toMatchObject({ protocol, host, port, path });
  });

  it('reads parameters as Motan does', () => {
    const { parameters } = parseMotanUrl('motan://h:80/p?a=1&a=2&=3&&b& c =d e&f=x?y=z');
    expect([...parameters]).toEqual([
      ['a', '2'],
      ['', '3'],
      ['b', 'b'],
      ['c ', 'd e'],
      ['f', 'x?y=z'],
    ]);
  });

  it.each([
    '',
    '://h',
    'h:80/p',
    'motan://h:x/p',
    'motan://[::1]:80/p',
    'motan://h:99999/p',
    'motan://h:80/p?a=%zz',
  ])('refuses %j', (text) => {
    expect(() => parseMotanUrl(text)).toThrow('is not a Motan URL');
  });

  it('does not show parameters in its errors', () => {
    expect(() => parseMotanUrl('motan://h:x/p?password=secret')).toThrow(/^(?!.*secret)/);
  });

  it('gives back what formatMotanUrl wrote, and what a tag carried', () => {
    const word = fc.string({
      unit: fc.constantFrom('a', 'B', '9', '.', '-', '_'),
      minLength: 1,
      maxLength: 12,
    });
    const parameters = fc.array(fc.tuple(word, fc.string()));
    fc.assert(
      fc.property(word, fc.nat(65535), word, parameters, (host, port, path, entries) => {
        const url = createMotanUrl('motan2', host, port, path, entries);
        expect(parseMotanUrl(formatMotanUrl(url))).toEqual(url);
        expect(readUrlTag(['protocol_motan2', formatUrlTag(url)])).toEqual(url);
      }),
    );
  });
});

describe('readUrlTag', () => {
  it('takes the last URL tag', () => {
    const tag = (host: string) => formatUrlTag(createMotanUrl('motan', host, 1, 'p'));
    expect(readUrlTag([tag('one'), 'protocol_x', tag('two'), 'URLS_x'])!.host).toBe('two');
    expect(readUrlTag(['protocol_motan'])).toBeUndefined();
  });
});

describe('a tag of motan-openresty', () => {
  it('is read although it escapes as nginx does', () => {
    const text = 'motan2://10.1.2.3:8002/com.x.Y?group=rs.a&nodeType=service&application=my%20app';
    const tag = `URL_${encodeURIComponent(text)}`;
    expect(tag).toContain('%2520');
    expect(readUrlTag(['protocol_motan2', tag])!.parameters.get('application')).toBe('my app');
    expect(canServe(readUrlTag([tag])!, parseMotanUrl('motan://h:1/com.x.Y'))).toBe(true);
  });
});

describe('canServe', () => {
  // Each row was checked against Motan's own URL.canServe.
  it.each([
    ['motan://h:1/p', 'motan://h:1/p', false],
    ['motan://h:1/p?nodeType=service', 'motan://h:1/p', true],
    ['motan://h:1/p?nodeType=referer', 'motan://h:1/p', false],
    ['motan2://h:1/p?nodeType=service&serialization=simple', 'motan://h:1/p', true],
    ['motan2://h:1/p?nodeType=service&serialization=simple', 'motan2://h:1/p', true],
    ['motan://h:1/p?nodeType=service&serialization=simple', 'motan://h:1/p', false],
    ['motan://h:1/p?nodeType=service', 'motan2://h:1/p', false],
    ['motan://h:1/p?nodeType=service&version=2', 'motan://h:1/p', false],
    ['motan://h:1/p?nodeType=service&version=1.0', 'motan://h:1/p', true],
    ['motan://h:1/p?nodeType=service&serialization=hessian2&group=x', 'motan://h:1/p?group=y', true],
    ['motan://h:1/q?nodeType=service', 'motan://h:1/p', false],
  ])('%s for the consumer %s is %s', (provider, consumer, answer) => {
    expect(canServe(parseMotanUrl(provider), parseMotanUrl(consumer))).toBe(answer);
  });
});

describe('withParameters', () => {
  it('sets and removes without touching the original', () => {
    const url = parseMotanUrl('motan://h:1/p?a=1&b=2');
    expect([...withParameters(url, { a: undefined, c: '3' }).parameters.keys()]).toEqual(['b', 'c']);
    expect(url.parameters.size).toBe(2);
  });
});
