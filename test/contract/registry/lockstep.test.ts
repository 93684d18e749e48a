import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { consulRequired, locateConsul, type RunningConsul, startConsul } from '../../helpers/consul.ts';
import { startEmbeddedRegistry } from '../../helpers/embedded-registry.ts';
import { type Answer, get, send, type Subject, until } from './subject.ts';

// The same random writes go to a real Consul and to the embedded registry; after each, both must tell the same, and
// each index must have moved on one exactly when it has on the other.

type Step = readonly [method: string, path: string, body?: unknown];

const node = fc.constantFrom('n1', 'n2', 'N1');
const service = fc.constantFrom('web', 'api');
const id = fc.constantFrom('a', 'b');
const key = fc.constantFrom('a', 'a/b', 'a/b/c', 'ab', 'a/', 'b/x', 'c');
const status = fc.constantFrom('passing', 'warning', 'critical');

const kvStep = fc.oneof(
  fc
    .tuple(key, fc.constantFrom('1', '2', ''))
    .map(([name, value]): Step => ['PUT', `/v1/kv/@/${name}`, value]),
  fc
    .tuple(key, fc.constantFrom(0, 7))
    .map(([name, flags]): Step => ['PUT', `/v1/kv/@/${name}?flags=${flags}`, '1']),
  key.map((name): Step => ['PUT', `/v1/kv/@/${name}?cas=0`, 'cas']),
  key.map((name): Step => ['DELETE', `/v1/kv/@/${name}`]),
  key.map((name): Step => ['DELETE', `/v1/kv/@/${name}?recurse`]),
);
const catalogStep = fc.oneof(
  fc
    .tuple(node, service, id, fc.constantFrom(80, 81), fc.constantFrom(null, ['x'], ['y', 'X']))
    .map(([name, what, which, Port, Tags]): Step => [
      'PUT',
      '/v1/catalog/register',
      {
        Node: `@${name}`,
        Address: '10.0.0.1',
        Service: { ID: `@${what}-${which}`, Service: `@${what}`, Port, Tags },
      },
    ]),
  fc
    .tuple(node, fc.constantFrom('10.0.0.1', '10.0.0.2'))
    .map(([name, Address]): Step => ['PUT', '/v1/catalog/register', { Node: `@${name}`, Address }]),
  fc.tuple(node, fc.constantFrom('', '@web-a', '@api-b'), status).map(([name, ServiceID, Status]): Step => [
    'PUT',
    '/v1/catalog/register',
    {
      ...{ Node: `@${name}`, SkipNodeUpdate: true },
      Check: { CheckID: `check${ServiceID}`, Name: 'c', ServiceID, Status },
    },
  ]),
  fc
    .tuple(node, service, id)
    .map(([name, what, which]): Step => [
      'PUT',
      '/v1/catalog/deregister',
      { Node: `@${name}`, ServiceID: `@${what}-${which}` },
    ]),
  fc
    .tuple(node, fc.constantFrom('check', 'check@web-a'))
    .map(([name, CheckID]): Step => ['PUT', '/v1/catalog/deregister', { Node: `@${name}`, CheckID }]),
  node.map((name): Step => ['PUT', '/v1/catalog/deregister', { Node: `@${name}` }]),
);
const ownId = fc.constantFrom('web-a', 'web-b', 'api-a', 'api-b');
const agentStep = fc.oneof(
  fc
    .tuple(service, id, fc.constantFrom(90, 91), fc.constantFrom(undefined, { TTL: '60m' }))
    .map(([what, which, Port, Check]): Step => [
      'PUT',
      '/v1/agent/service/register',
      { ID: `@own-${what}-${which}`, Name: `@${what}`, Port, ...(Check ? { Check } : {}) },
    ]),
  fc
    .tuple(ownId, fc.constantFrom('pass', 'warn', 'fail'))
    .map(([which, verb]): Step => ['PUT', `/v1/agent/check/${verb}/service:@own-${which}`]),
  ownId.map((which): Step => ['PUT', `/v1/agent/service/deregister/@own-${which}`]),
  fc
    .tuple(ownId, fc.boolean())
    .map(([which, on]): Step => ['PUT', `/v1/agent/service/maintenance/@own-${which}?enable=${on}&reason=r`]),
);

// UPSYNC_LOCKSTEP=20 looks twenty times as far.
const LONGER = Number(process.env.UPSYNC_LOCKSTEP ?? 1);

// What a run may leave behind would make every later reply longer.
const CLEAN_UP: readonly Step[] = [
  ...['web-a', 'web-b', 'api-a', 'api-b'].map((which): Step => [
    'PUT',
    `/v1/agent/service/deregister/@own-${which}`,
  ]),
  ...['n1', 'n2'].map((name): Step => ['PUT', '/v1/catalog/deregister', { Node: `@${name}` }]),
  ['DELETE', '/v1/kv/@/?recurse'],
];

const READS = [
  ...[
    '/v1/kv/@/?recurse',
    '/v1/kv/@/a?recurse',
    '/v1/kv/@/a/?recurse',
    '/v1/kv/@/a',
    '/v1/kv/@/?keys&separator=/',
  ],
  ...[
    '/v1/catalog/service/@web',
    '/v1/catalog/service/@api',
    '/v1/health/service/@web',
    '/v1/health/service/@api',
  ],
  ...[
    '/v1/health/service/@web?passing',
    '/v1/catalog/node/@n1',
    '/v1/health/node/@n2',
    '/v1/health/checks/@web',
  ],
  ...[
    '/v1/catalog/service/@web?tag=x',
    '/v1/catalog/nodes',
    '/v1/catalog/services',
    '/v1/health/state/critical',
  ],
];

const hasConsul = (await locateConsul().catch(() => undefined)) !== undefined;

describe.runIf(hasConsul || consulRequired)('the embedded registry in lockstep with a real Consul', () => {
  let consul: RunningConsul;
  let embedded: Subject & { stop(): Promise<unknown> };
  let run = 0;

  beforeAll(async () => {
    consul = await startConsul();
    // Consul completes its own node some moments after it leads; that would count as a change.
    await until(
      async () => get(consul, `/v1/catalog/node/${consul.node}`),
      ({ json }) => json?.Node.Meta['consul-network-segment'] === '',
    );
    const registry = await startEmbeddedRegistry({ node: consul.node });
    embedded = {
      url: registry.url,
      datacenter: 'dc1',
      node: consul.node,
      stop: async () => registry.close(),
    };
  });
  afterAll(async () => {
    await embedded?.stop();
    await consul?.stop();
  });

  it.each([
    ['keys', kvStep, 40],
    ['the catalog', catalogStep, 40],
    ['the agent', agentStep, 25],
  ])(
    'tells the same after any writes to %s',
    async (_what, step, runs) => {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 8 }), async (steps) => {
          run += 1;
          const subjects = [consul, embedded] as const;
          let before = await Promise.all(subjects.map(async (subject) => readAll(subject, run)));
          for (const [at, one] of steps.entries()) {
            const replies = await Promise.all(subjects.map(async (subject) => act(subject, one, run)));
            expect([at, one, replies[1]]).toEqual([at, one, replies[0]]);
            const after = await Promise.all(subjects.map(async (subject) => readAll(subject, run)));
            for (const [position, path] of READS.entries()) {
              const [theirs, ours] = after.map((answers) => answers[position]!) as [Answer, Answer];
              expect([at, one, path, plain(ours)]).toEqual([at, one, path, plain(theirs)]);
              const [theirsMoved, oursMoved] = [0, 1].map(
                (which) => after[which]![position]!.index - before[which]![position]!.index,
              );
              expect([at, one, path, 'moved', Math.sign(oursMoved!)]).toEqual([
                at,
                one,
                path,
                'moved',
                Math.sign(theirsMoved!),
              ]);
            }
            before = after;
          }
          for (const one of CLEAN_UP)
            await Promise.all(subjects.map(async (subject) => act(subject, one, run)));
        }),
        { numRuns: runs * LONGER },
      );
    },
    120_000 * LONGER,
  );
});

async function act(subject: Pick<Subject, 'url'>, [method, path, body]: Step, run: number) {
  const text = body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body);
  const answer = await send(subject, method, own(path, run), text === undefined ? undefined : own(text, run));
  return { status: answer.status, text: answer.text };
}

async function readAll(subject: Pick<Subject, 'url'>, run: number): Promise<Answer[]> {
  return Promise.all(READS.map(async (path) => get(subject, own(path, run))));
}

// Each run works on names of its own.
function own(text: string, run: number): string {
  return text.replaceAll('@', `r${run}-`);
}

// Indexes and what names the machine differ by nature; everything else must not.
function plain(answer: Answer): unknown {
  const body: unknown = JSON.parse(
    JSON.stringify(answer.json ?? answer.text, (name, value: unknown) =>
      /^(CreateIndex|ModifyIndex)$/.test(name) ? 0 : value,
    ),
  );
  return [answer.status, withoutOwnNode(body)];
}

function withoutOwnNode(value: unknown): unknown {
  if (Array.isArray(value)) return value.filter((item) => !isOwnServer(item)).map(withoutOwnNode);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name]) => !['ID', 'Meta', 'NodeMeta', 'TaggedAddresses'].includes(name) || !isOwnNode(value))
      .map(([name, member]) => [
        name,
        Array.isArray(member) && member.every((one) => typeof one === 'string')
          ? [...member].sort()
          : withoutOwnNode(member),
      ]),
  );
}

function isOwnNode(value: object): boolean {
  return (value as { Node?: unknown }).Node === 'dc1-node';
}

function isOwnServer(item: unknown): boolean {
  return (
    typeof item === 'object' && item !== null && (item as { ServiceName?: string }).ServiceName === 'consul'
  );
}
