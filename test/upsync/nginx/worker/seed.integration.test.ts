import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createServer } from '../../../../src/upstream/server.ts';
import { balancerBlock } from '../../../../src/upsync/nginx/snippets.ts';
import { type Backend, startBackend } from '../../../helpers/backend.ts';
import { LuaNginx } from '../../../helpers/lua-nginx.ts';
import { bootUpstream } from '../../../helpers/lua-upstream.ts';

const UPSTREAMS = 16;
const SERVERS = 10;

// Sixteen upstreams over the same ten backends: without a seed of their own all would begin with the first one.
describe('where the round-robin cycle starts', () => {
  let backends: Backend[];
  let nginx: LuaNginx;

  async function firsts(seed: number): Promise<string[]> {
    const servers = backends.map(({ address }) => createServer(address));
    const names = Array.from({ length: UPSTREAMS }, (_, at) => `u${at}`);
    nginx = await LuaNginx.start({
      boot: names.map((name) => bootUpstream(name, servers, 'round_robin', seed)),
      workers: 1,
      http: `${names.map((name) => `upstream ${name} { ${balancerBlock(name)} }`).join('\n')}
        server { listen 127.0.0.1:PORT; ${names.map((name) => `location = /${name} { proxy_pass http://${name}; }`).join('\n')} }`,
    });
    try {
      return await Promise.all(names.map(async (name) => (await fetch(`${nginx.url}/${name}`)).text()));
    } finally {
      await nginx.stop();
    }
  }

  beforeAll(async () => {
    backends = await Promise.all(Array.from({ length: SERVERS }, () => startBackend()));
  });
  afterAll(async () => {
    await Promise.all(backends.map((backend) => backend.close()));
  });

  it('is the first server with seed=0, as in nginx', async () => {
    expect(new Set(await firsts(0))).toEqual(new Set([backends[0]!.address]));
  });

  it('differs from upstream to upstream and from worker to worker without a seed', async () => {
    const [one, two] = [await firsts(-1), await firsts(-1)];
    expect(new Set(one).size).toBeGreaterThan(3);
    expect(two).not.toEqual(one);
  });
});
