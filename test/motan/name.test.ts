import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chooseLocalIdc, formatName, parseName } from '../../src/motan/name.ts';
import type { UpsyncError } from '../../src/upstream/errors.ts';

const LETTERS = 'abcdefghijklmnopqrstuvwxyz0123456789'.split('');
const edge = fc.constantFrom(...LETTERS);
const label = fc
  .tuple(edge, fc.string({ unit: fc.constantFrom(...LETTERS, '-'), maxLength: 20 }), edge)
  .map((parts) => parts.join(''));
const resource = fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join('.'));
const port = fc.integer({ min: 1, max: 65535 });

function failure(text: string, local?: string): UpsyncError {
  try {
    parseName(text, local);
  } catch (error) {
    return error as UpsyncError;
  }
  throw new Error(`${text} was accepted`);
}

describe('parseName', () => {
  it.each([
    ['rs.a.6379', 'rs', 'a', 6379],
    ['RS.A.6379', 'rs', 'a', 6379],
    ['rs.a.6379.', 'rs', 'a', 6379],
    ['cache.timeline.cloud-1.11211', 'cache.timeline', 'cloud-1', 11211],
    ['1.2.3', '1', '2', 3],
    ['rs.a.65535', 'rs', 'a', 65535],
  ])('takes %s apart from the right', (text, resourcePart, idc, portPart) => {
    expect(parseName(text)).toMatchObject({ resource: resourcePart, idc, port: portPart });
  });

  it('fills in the local IDC', () => {
    expect(parseName('rs.{idc}.6379', 'B').text).toBe('rs.b.6379');
    expect(failure('rs.{idc}.6379').message).toContain('local IDC is not known');
  });

  it.each([
    ['rs', 'three parts'],
    ['a.6379', 'three parts'],
    ['', 'three parts'],
    ['rs.a.0', 'port'],
    ['rs.a.06379', 'port'],
    ['rs.a.65536', 'port'],
    ['rs.a.+80', 'port'],
    ['rs.a.http', 'port'],
    ['rs.a.6379..', 'port'],
    ['rs..6379', 'IDC'],
    ['rs.a_b.6379', 'IDC'],
    ['rs.-a.6379', 'IDC'],
    [`rs.${'a'.repeat(64)}.6379`, 'IDC'],
    ['.a.6379', 'resource'],
    ['r s.a.6379', 'resource'],
    ['x..rs.a.6379', 'resource'],
    ['rs.{idc}.a.6379', 'resource'],
    [`${'a.'.repeat(130)}a.6379`, 'longer than 253'],
  ])('refuses %j and names the part that is wrong', (text, part) => {
    const error = failure(text);
    expect(error.code).toBe('BAD_NAME');
    expect(error.message).toContain(part);
  });

  it('gives back what formatName wrote', () => {
    fc.assert(
      fc.property(resource, label, port, (resourcePart, idc, portPart) => {
        const text = formatName(resourcePart, idc, portPart);
        const name = parseName(text);
        expect([name.resource, name.idc, name.port, name.text]).toEqual([resourcePart, idc, portPart, text]);
        expect(parseName(text.toUpperCase())).toEqual(name);
      }),
    );
  });

  it('accepts or refuses any text without another kind of error, and what it accepts is canonical', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 300 }), (text) => {
        try {
          const name = parseName(text);
          expect(parseName(name.text)).toEqual(name);
          expect(name.text).toMatch(/^[a-z0-9.-]{5,253}$/);
        } catch (error) {
          expect((error as UpsyncError).code).toBe('BAD_NAME');
        }
      }),
    );
  });
});

describe('chooseLocalIdc', () => {
  it('prefers the configuration, then the environment, then the datacenter of Consul', () => {
    expect(chooseLocalIdc('A', { UPSYNC_IDC: 'b' }, 'c')).toBe('a');
    expect(chooseLocalIdc(undefined, { UPSYNC_IDC: 'b' }, 'c')).toBe('b');
    expect(chooseLocalIdc(undefined, { UPSYNC_IDC: '' }, 'c')).toBe('c');
    expect(chooseLocalIdc(undefined, {})).toBeUndefined();
    expect(() => chooseLocalIdc('a.b', {})).toThrow('local IDC');
  });
});
