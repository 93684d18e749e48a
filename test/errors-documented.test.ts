import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = path.resolve(import.meta.dirname, '..');
const WORKER = 'upsync/nginx/worker/';

// Names in capitals that are no codes of ours: environment variables, parameters of Motan, and the errors of undici, HTTP/2 and DNS.
const NO_CODE =
  /^(UPSYNC_|XDG_|UND_ERR_|ERR_HTTP2_|NGHTTP2_|MOTAN_(LOCAL_IP|IP_PREFIX)$|META_WEIGHT$|ENOTFOUND$)/;
/** A text of two or more words in capitals, wherever it stands: helpers and types name codes in many ways. */
const WORDS = /'([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)'/g;
/** A text of one word counts only where nothing but a code can stand. */
const SINGLE = /(?:\b(?:Upsync|Source|Agent)Error\(\s*|\bcode:\s*|#error\(\s*)'([A-Z]+)'/g;
// The worker's answers for one upstream get a prefix on their way; the others end in the message of TARGET_REFUSED.
const PREFIXED = /(?:errorObject\(\s*|\bcode:\s*)'([A-Z]+(?:_[A-Z]+)*)'/g;

/** Every code that the sources can raise, with the files that do. */
function codesInSources(): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>();
  const add = (code: string, file: string): void => {
    if (!NO_CODE.test(code)) found.set(code, (found.get(code) ?? new Set()).add(file));
  };
  for (const file of readdirSync(path.join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.ts')) continue;
    const text = readFileSync(path.join(ROOT, 'src', file), 'utf8').replace(/^\s*(\*|\/\/|\/\*).*$/gm, '');
    const all = (pattern: RegExp): string[] => [...text.matchAll(pattern)].map(([, code]) => code!);
    if (file.startsWith(WORKER)) for (const code of all(PREFIXED)) add(`TARGET_${code}`, file);
    else if (text.includes('`TARGET_${')) {
      for (const code of all(WORDS)) add(code, file);
      for (const code of all(PREFIXED)) if (!code.includes('_')) add(`TARGET_${code}`, file);
    } else for (const code of [...all(WORDS), ...all(SINGLE)]) add(code, file);
  }
  return found;
}

/** The codes of the tables' first columns. */
function documentedCodes(): string[] {
  const page = readFileSync(path.join(ROOT, 'docs/errors.md'), 'utf8');
  return [...page.matchAll(/^\| `([A-Z_]+)` /gm)].map(([, code]) => code!);
}

describe('docs/errors.md', () => {
  const sources = codesInSources();
  const documented = documentedCodes();

  it('finds codes in sources and page', () => {
    expect([...sources.keys()]).toEqual(
      expect.arrayContaining(['SOURCE_TIMEOUT', 'CLOSED', 'TARGET_DICTIONARY_FULL', 'CONFIG_INVALID']),
    );
    expect(documented.length).toBeGreaterThan(50);
  });

  it('explains every code that the sources can raise', () => {
    const missing = [...sources].filter(([code]) => !documented.includes(code));
    expect(missing.map(([code, files]) => `${code}: ${[...files].join(', ')}`)).toEqual([]);
  });

  it('explains no code that is gone, and none twice', () => {
    expect(documented.filter((code) => !sources.has(code))).toEqual([]);
    expect(documented.filter((code, at) => documented.indexOf(code) !== at)).toEqual([]);
  });
});
