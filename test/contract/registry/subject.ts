import { afterAll, beforeAll } from 'vitest';

/** A registry under test: anything that claims to speak Consul's HTTP API. */
export interface Subject {
  readonly url: string;
  readonly datacenter: string;
  /** Name of the node whose agent answers. */
  readonly node: string;
  stop(): Promise<unknown>;
}

/** The subject as the tests get it: running while they run. */
export type Running = () => Subject;

/** Gives the tests of one file one running registry. */
export function withSubject(start: () => Promise<Subject>): Running {
  let subject: Subject | undefined;
  beforeAll(async () => {
    subject = await start();
  });
  afterAll(async () => {
    await subject?.stop();
  });
  return () => subject!;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The body as JSON; undefined when it is none. */
  readonly json: any; // eslint-disable-line @typescript-eslint/no-explicit-any
  readonly index: number;
}

/** Sends one request and reads the whole answer. */
export async function send(
  subject: Pick<Subject, 'url'>,
  method: string,
  path: string,
  body?: unknown,
  signal: AbortSignal = AbortSignal.timeout(20_000),
): Promise<Answer> {
  const reply = await fetch(subject.url + path, {
    method,
    signal,
    redirect: 'manual',
    ...(body === undefined
      ? {}
      : { body: typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body) }),
  });
  const text = await reply.text();
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    json = undefined;
  }
  return {
    status: reply.status,
    headers: reply.headers,
    text,
    json,
    index: Number(reply.headers.get('x-consul-index')),
  };
}

export const get = async (subject: Pick<Subject, 'url'>, path: string) => send(subject, 'GET', path);
export const put = async (subject: Pick<Subject, 'url'>, path: string, body?: unknown) =>
  send(subject, 'PUT', path, body);
export const remove = async (subject: Pick<Subject, 'url'>, path: string) => send(subject, 'DELETE', path);

let counter = 0;
/** A name no other test uses. */
export function unique(word: string): string {
  counter += 1;
  return `${word}-${process.pid}-${counter}`;
}

/** Resolves to true when `promise` settles within `ms`. */
export async function settlesWithin(promise: Promise<unknown>, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  const first = await Promise.race([
    promise.then(
      () => true,
      () => true,
    ),
    late,
  ]);
  clearTimeout(timer);
  return first;
}

/** Asks until `test` holds, for at most `ms`; gives the last answer. */
export async function until(
  ask: () => Promise<Answer>,
  test: (answer: Answer) => boolean,
  ms = 10_000,
): Promise<Answer> {
  const deadline = Date.now() + ms;
  for (;;) {
    const answer = await ask();
    if (test(answer) || Date.now() > deadline) return answer;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
