import { createServer as createHttpServer } from 'node:http';
import { join } from 'node:path';
import { onTestFinished, expect, test } from 'vitest';
import { SILENT } from '../../../src/upstream/logger.ts';
import { createServer } from '../../../src/upstream/server.ts';
import { createNginxWorkersTarget } from '../../../src/upsync/targets/nginx-workers.ts';
import { scratchFolder } from '../../helpers/scratch-folder.ts';

const snapshot = (upstream: string) => ({
  upstream,
  version: 1,
  servers: [createServer('10.0.0.1:80')],
  origin: { kind: 'static', source: 'test', at: 0 } as const,
});

/** A control server that takes every list and answers with these workers. */
async function fakeNginx() {
  const nginx = {
    generation: 0,
    workers: [{ id: 0, pid: 7, generation: 99, bad: {} as Record<string, number> }],
  };
  const server = createHttpServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const names = [
        ...Buffer.concat(chunks)
          .toString()
          .matchAll(/^u (\S+)/gm),
      ].map((match) => match[1]!);
      const before = nginx.generation;
      nginx.generation += names.length;
      const { generation, workers } = nginx;
      const upstreams = Object.fromEntries(
        names.map((name) => [name, { version: 1, generation, changed: true }]),
      );
      const common = { boot: 'b', cycle: 1, lists: generation, generation, capacity: 1, free: 1 };
      response.end(JSON.stringify({ ...common, before, workers, upstreams, failed: {} }));
    });
  });
  const socketPath = join(scratchFolder(), 'c.sock');
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  const target = createNginxWorkersTarget({ socketPath, logger: SILENT });
  onTestFinished(async () => {
    await target.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return { nginx, target };
}

test('the same reports come again while nothing changes, and only those that are not true any more are made anew', async () => {
  const { nginx, target } = await fakeNginx();
  await target.state();
  const applied = await target.applyMany([snapshot('a'), snapshot('b')]);
  const first = await target.reports();
  expect(applied).toEqual(first.map((value) => ({ ok: true, value })));
  expect(await target.reports()).toBe(first);

  nginx.workers[0]!.generation += 1;
  expect(await target.reports()).toBe(first);

  nginx.workers[0]!.bad = { b: 1 };
  const second = await target.reports();
  expect(second[0]).toBe(first[0]);
  expect(second[1]).toEqual({ upstream: 'b', version: 1, workers: [{ pid: 7, version: undefined }] });

  nginx.workers = [
    { id: 0, pid: 8, generation: 99, bad: {} },
    { id: 1, pid: 9, generation: 1, bad: {} },
  ];
  expect((await target.reports()).map(({ workers }) => workers)).toEqual(
    ['a', 'b'].map(() => [
      { pid: 8, version: 1 },
      { pid: 9, version: undefined },
    ]),
  );

  nginx.workers.pop();
  expect((await target.reports()).map(({ workers }) => workers)).toEqual(
    ['a', 'b'].map(() => [{ pid: 8, version: 1 }]),
  );
});
