import { fetch } from 'undici';
import { createUpstream } from 'upsync';

/** Calls the servers of the upstream "users" in turn, as `fetch` calls any URL. */
export async function call(registry: string, times: number): Promise<string[]> {
  await using users = createUpstream({
    name: 'users',
    source: `${registry}/v1/kv/upstreams/users/ upsync_type=consul upsync_interval=500ms`,
    balancer: { method: 'least_conn' },
    nextUpstream: ['error', 'timeout', 'http_502', 'http_503'],
  });
  await users.ready(5000);
  const answers: string[] = [];
  for (let i = 0; i < times; i += 1) {
    const response = await fetch(`http://users/${i}`, { dispatcher: users.dispatcher });
    answers.push(await response.text());
  }
  return answers;
}
