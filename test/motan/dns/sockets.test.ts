import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { askTcp, question, read, rs, startDns } from '../../helpers/dns.ts';
import { provider } from '../../helpers/motan-providers.ts';
import { listOf } from '../../helpers/motan-registry.ts';

const NAME = 'rs.a.6379.idc.local';
const many = (count: number) => Array.from({ length: count }, (_, at) => provider(1 + at));

async function open(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  onTestFinished(() => void socket.destroy());
  await once(socket, 'connect');
  return socket;
}

function framed(bytes: Buffer): Buffer {
  const head = Buffer.alloc(2);
  head.writeUInt16BE(bytes.length);
  return Buffer.concat([head, bytes]);
}

describe('DNS over TCP', () => {
  it('is there for the next client when more than it takes lie idle or send half a question', async () => {
    const { dns } = await startDns(rs(many(1)));
    const idle = await Promise.all(Array.from({ length: 600 }, () => open(dns.port)));
    for (const socket of idle) socket.write(Buffer.from([0]));
    const [answer] = await askTcp(dns.port, question(NAME, 'A'));
    expect(read(answer).rcode).toBe('NOERROR');
  });

  it('takes no more questions from a client that takes no answers, and goes on when it does', async () => {
    const { dns, ask } = await startDns(rs(many(3000)));
    await ask(NAME, 'A');
    const socket = await open(dns.port);
    socket.pause();
    const asked = 400;
    socket.write(Buffer.concat(Array.from({ length: asked }, () => framed(question(NAME, 'A')))));
    let before = 0;
    for (let now = -1; now !== before; await sleep(100)) [before, now] = [now, dns.stats().queries];
    expect(before).toBeLessThan(asked);
    let bytes = 0;
    let answers = 0;
    let got = Buffer.alloc(0);
    socket.on('data', (chunk) => {
      bytes += chunk.length;
      got = Buffer.concat([got, chunk]);
      while (got.length >= 2 && got.length >= 2 + got.readUInt16BE(0)) {
        got = got.subarray(2 + got.readUInt16BE(0));
        answers++;
      }
    });
    socket.resume();
    socket.end();
    await once(socket, 'end');
    expect(answers).toBe(asked);
    expect(bytes).toBeGreaterThan(asked * 40_000);
  });

  it('answers a client that has closed its side, also what it has to look up first', async () => {
    const { dns, registry } = await startDns({});
    const socket = await open(dns.port);
    const answers: Buffer[] = [];
    socket.on('data', (chunk) => answers.push(chunk));
    socket.end(framed(question(NAME, 'A')));
    await sleep(50);
    registry.set('local/rs', listOf(many(1)));
    await once(socket, 'close');
    expect(read(Buffer.concat(answers).subarray(2)).rcode).toBe('NOERROR');
  });

  it('ends the connection of whoever sends answers', async () => {
    const { dns } = await startDns(rs(many(1)));
    const socket = await open(dns.port);
    socket.resume();
    socket.write(framed(question(NAME, 'A', { type: 'response' })));
    await once(socket, 'close');
  });
});
