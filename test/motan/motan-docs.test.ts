import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { wantedNames } from '../../src/sidecar/names/wanted-names.ts';
import { yamlSchema } from '../../src/sidecar/upsync-yaml-schema.ts';
import { parseYaml } from '../../src/sidecar/upsync-yaml.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
const page = readFileSync(path.join(ROOT, 'docs/motan.md'), 'utf8');

/** Events of names by name, with the level each is logged at. */
function events(): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  const folder = path.join(ROOT, 'src/motan');
  for (const file of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.ts')) continue;
    const text = readFileSync(path.join(folder, file), 'utf8');
    for (const call of text.matchAll(/logger\??\.(info|warn|error)\(/g)) {
      const event = /'([a-z]+(?:_[a-z]+)+)',?\s*\)/.exec(text.slice(call.index, call.index + 400));
      if (event !== null) found.set(event[1]!, call[1]!);
    }
  }
  return found;
}

describe('docs/motan.md', () => {
  it('explains every event of names, at its level, and no other', () => {
    const told = [...page.matchAll(/^\| `([a-z]+(?:_[a-z]+)+)` +\| (info|warn|error) /gm)];
    const real = [...events()].sort();
    expect(real.length).toBeGreaterThan(15);
    expect(told.map(([, event, level]) => [event, level]).sort()).toEqual(real);
  });

  const { shape } = yamlSchema;
  const { motan, dns, config_service: service } = shape;
  it.each([
    ...Object.keys(motan.unwrap().shape),
    ...Object.keys(motan.unwrap().shape.idcs.element.shape),
    ...Object.keys(dns.unwrap().shape),
    ...Object.keys(service.unwrap().shape),
  ])('names the setting %s', (setting) => {
    expect(page).toMatch(new RegExp(`\\b${setting}\\b`));
  });

  it('has only YAML that is read', () => {
    const blocks = [...page.matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, text]) => text!);
    expect(blocks.length).toBeGreaterThan(0);
    for (const text of blocks)
      expect(() => wantedNames(parseYaml(text, '/etc/u.yaml'), {}, false)).not.toThrow();
  });
});
