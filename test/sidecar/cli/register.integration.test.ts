import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { createEmbeddedRegistry } from '../../../src/discovery/embedded/registry.ts';

const ROOT = path.resolve(import.meta.dirname, '../../..');

it.each([
  ['a service', ['rs', '--address', '10.0.0.3', '--port', '6379', '--ttl', '1s'], 'rs'],
  ['a Motan provider', ['motan2://10.0.0.3:8002/com.S?group=g&nodeType=service'], 'motanrpc_g'],
])('upsync register keeps %s alive as a process of its own, until TERM', async (_, words, service) => {
  execFileSync(process.execPath, [path.join(ROOT, 'scripts/build.mjs')], { cwd: ROOT });
  const registry = await createEmbeddedRegistry({ listen: '127.0.0.1:0' });
  onTestFinished(() => registry.close());
  const program = path.join(ROOT, 'dist/sidecar/main.js');
  const child = spawn(process.execPath, [program, 'register', ...words, '--consul', registry.url], {
    stdio: 'ignore',
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const passing = async (): Promise<number> => {
    const reply = await fetch(`${registry.url}/v1/health/service/${service}?passing`);
    return ((await reply.json()) as unknown[]).length;
  };
  await expect.poll(passing, { timeout: 10_000 }).toBe(1);
  // Longer than its time to live: only a process that goes on beating passes.
  await new Promise((resolve) => setTimeout(resolve, 2500));
  expect(child.exitCode).toBeNull();
  expect(await passing()).toBe(1);
  const exit = once(child, 'exit');
  child.kill('SIGTERM');
  expect((await exit)[0]).toBe(0);
  expect(await passing()).toBe(0);
});
