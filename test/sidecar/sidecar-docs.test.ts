import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { createMetrics } from '../../src/sidecar/metrics.ts';
import { engineSettings, plansOf } from '../../src/sidecar/upsync-yaml-plans.ts';
import { yamlSchema } from '../../src/sidecar/upsync-yaml-schema.ts';
import { parseYaml, readYaml } from '../../src/sidecar/upsync-yaml.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
const EXAMPLE = path.join(ROOT, 'examples/upsync.yaml');
const page = readFileSync(path.join(ROOT, 'docs/sidecar.md'), 'utf8');
const example = readFileSync(EXAMPLE, 'utf8');
const folder = mkdtempSync(path.join(tmpdir(), 'upsync-docs-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Every setting there is, `nginx.conf` for one. */
function settings(): string[] {
  const { shape } = yamlSchema;
  const nested: Record<string, readonly string[]> = {
    nginx: Object.keys(shape.nginx.unwrap().shape),
    upstreams: Object.keys(shape.upstreams.unwrap().element.shape),
    admin: Object.keys(shape.admin.unwrap().shape),
    guard: Object.keys(shape.guard.unwrap().shape),
  };
  return Object.keys(shape).flatMap((name) => nested[name] ?? [name]);
}

describe('examples/upsync.yaml', () => {
  test('is read as it stands', () => {
    const yaml = readYaml(EXAMPLE);
    expect(plansOf(yaml)).toEqual([]);
    expect(yaml.data.nginx).toMatchObject({ conf: 'nginx.conf' });
    expect(engineSettings(yaml)).toMatchObject({ admin: { host: '127.0.0.1', port: 8600 } });
  });

  test('is read with every setting taken out of its comment', () => {
    const file = path.join(folder, 'upsync.yaml');
    writeFileSync(
      file,
      example.replaceAll(/^( *)#(?=[a-z])/gm, '$1').replaceAll(/^#(?=  +(?:- )?[a-z_]+: )/gm, ''),
    );
    const yaml = readYaml(file);
    expect(plansOf(yaml).map(({ name }) => name)).toEqual(['backend', 'checkout']);
    expect(engineSettings(yaml).guard).toEqual({ minKeep: 0.5, holdMs: 30_000 });
    expect(yaml.data.nginx?.reload_interval).toBe('1s');
  });

  test.each(settings().filter((name) => !['token', 'control_socket'].includes(name)))('shows %s', (name) => {
    expect(example).toMatch(new RegExp(`^#? *(?:- )?#?${name}:`, 'm'));
  });
});

describe('docs/sidecar.md', () => {
  test.each(settings())('explains %s', (name) => {
    expect(page).toContain(`\`${name}\``);
  });

  test('has only YAML that is read', () => {
    const blocks = [...page.matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, text]) => text!);
    expect(blocks.length).toBeGreaterThan(0);
    for (const text of blocks) {
      const yaml = parseYaml(text, '/etc/upsync/upsync.yaml');
      expect(() => [plansOf(yaml), engineSettings(yaml)]).not.toThrow();
    }
  });

  test('names the metrics there are, and no other', async () => {
    const metrics = createMetrics(() => []);
    const { body } = await metrics.text();
    metrics.close();
    const real = [...body.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name!).sort();
    const told = [...page.slice(page.indexOf('## Metrics')).matchAll(/^\| `(upsync_[a-z_]+)`/gm)]
      .map(([, name]) => name!)
      .sort();
    expect(told).toEqual(real);
  });
});
