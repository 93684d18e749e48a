import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createServer } from '../../../../src/upstream/server.ts';
import { formatServerLine } from '../../../../src/upstream/server-line.ts';
import { formatAllUpstreams, formatUpstream, shown } from '../../../../src/upsync/show.ts';
import { showBlock } from '../../../../src/upsync/nginx/snippets.ts';
import { SILENT } from '../../../../src/upstream/logger.ts';
import {
  createNginxWorkersTarget,
  type NginxWorkersTarget,
} from '../../../../src/upsync/targets/nginx-workers.ts';
import { LuaNginx } from '../../../helpers/lua-nginx.ts';
import { bootUpstream } from '../../../helpers/lua-upstream.ts';

describe('upstream_show in an nginx worker', () => {
  const plain = { name: '127.0.0.1', lines: ['server 127.0.0.1:8088 weight=0 max_fails=0 fail_timeout=0s;'] };
  const servers = [
    createServer('127.0.0.1:8088', { weight: 10, maxFails: 3 }),
    createServer('127.0.0.1:8090', { backup: true, maxConns: 12, slowStartMs: 90_000 }),
    createServer('127.0.0.1:8089', { down: true, failTimeoutMs: 120_000, slowStartMs: 1500 }),
    createServer('[::1]:80', { drain: true, weight: 1_000_000, maxFails: 2_147_483_647 }),
  ];
  const ordered = [servers[0]!, servers[2]!, servers[3]!, servers[1]!];
  let nginx: LuaNginx;
  let target: NginxWorkersTarget;

  beforeAll(async () => {
    nginx = await LuaNginx.start({
      boot: [
        bootUpstream('Test', []),
        { kind: 'plain', ...plain },
        bootUpstream('odd "name" %', [servers[0]!]),
      ],
      http: `server { listen 127.0.0.1:PORT; location /show { ${showBlock()} } }`,
      workers: 2,
    });
    target = createNginxWorkersTarget({ socketPath: nginx.socketPath, logger: SILENT });
    await target.apply({
      upstream: 'Test',
      version: 1,
      servers,
      origin: { kind: 'static', source: 'x', at: 0 },
    });
  });
  afterAll(async () => {
    await target?.close();
    await nginx?.stop();
  });

  const ask = (query: string, init?: RequestInit) => fetch(`${nginx.url}/show${query}`, init);

  it('shows one upstream by its name in any case, in the words of the configuration', async () => {
    const text = formatUpstream(shown('Test', ordered));
    for (const query of ['?Test', '?test', '?TEST']) expect(await (await ask(query)).text()).toBe(text);
    expect(text).toContain(`        ${formatServerLine(servers[1]!)}\n`);
  });

  it('shows all upstreams in the order of the configuration', async () => {
    const text = formatAllUpstreams([shown('Test', ordered), plain, shown('odd "name" %', [servers[0]!])]);
    const response = await ask('');
    expect(response.headers.get('content-type')).toBe('text/plain');
    expect(await response.text()).toBe(text);
  });

  it('says so when it does not know the name, which is the whole query', async () => {
    for (const query of ['?nobody', '?Test&x', '?name=Test']) {
      const response = await ask(query);
      expect(response.status).toBe(200);
      expect(await response.text()).toBe(
        'The upstream you requested does not exist. Please double-check the name',
      );
    }
  });

  it('answers HEAD without a body and other methods with 405', async () => {
    const head = await ask('?Test', { method: 'HEAD' });
    expect([head.status, head.headers.get('content-length'), await head.text()]).toEqual([200, null, '']);
    expect((await ask('', { method: 'POST', body: 'x' })).status).toBe(405);
    expect((await ask('', { method: 'DELETE' })).status).toBe(405);
  });
});
