import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { removeStaleSocket } from '../../src/sidecar/stale-socket.ts';

let folder: string;
let socket: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'upsync-socket-'));
  socket = join(folder, 's.sock');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function leaveBehind(): Promise<void> {
  const script = `require('node:net').createServer().listen(${JSON.stringify(socket)}, () => process.kill(process.pid, 'SIGKILL'))`;
  await once(spawn(process.execPath, ['-e', script]), 'exit');
  expect(existsSync(socket)).toBe(true);
}

test('removes what a killed process left behind, once it is old enough', async () => {
  await leaveBehind();
  removeStaleSocket(socket, 60_000);
  await new Promise((resolve) => setTimeout(resolve, 30));
  expect(existsSync(socket)).toBe(true);
  removeStaleSocket(socket, 0);
  await vi.waitFor(() => expect(existsSync(socket)).toBe(false));
});

test('leaves one alone that is listened on, and none', async () => {
  removeStaleSocket(socket, 0);
  const server = createServer().listen(socket);
  await once(server, 'listening');
  removeStaleSocket(socket, 0);
  await once(server, 'connection');
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(existsSync(socket)).toBe(true);
  server.close();
});
