import { createSocket } from 'node:dgram';
import { encode } from 'dns-packet';

// A closed loop of UDP queries: `inFlight` are under way at all times for `seconds`.
export interface DnsLoad {
  readonly port: number;
  readonly name: string;
  readonly seconds: number;
  readonly inFlight: number;
}
export interface DnsLoadResult {
  readonly queriesPerSecond: number;
  /** Replies without an address. */
  readonly wrong: number;
  /** Queries without a reply within half a second: UDP under load. */
  readonly lost: number;
}

const RETRY_MS = 500;
const RCODE = 0x0f;
const { port, name, seconds, inFlight } = JSON.parse(process.argv[2] ?? '{}') as DnsLoad;
const query = encode({ type: 'query', id: 0, flags: 0x100, questions: [{ type: 'A', name }] });
const socket = createSocket('udp4');
const sentAt = new Float64Array(inFlight);
let good = 0;
let wrong = 0;
let lost = 0;
let counting = false;

function send(slot: number): void {
  query.writeUInt16BE(slot, 0);
  sentAt[slot] = performance.now();
  socket.send(query, port, '127.0.0.1');
}
socket.on('message', (reply) => {
  const slot = reply.readUInt16BE(0);
  if (slot >= inFlight) return;
  if (counting && (reply[3]! & RCODE) === 0 && reply.readUInt16BE(6) > 0) good += 1;
  else if (counting) wrong += 1;
  send(slot);
});
const retry = setInterval(() => {
  const now = performance.now();
  for (let slot = 0; slot < inFlight; slot += 1) {
    if (now - sentAt[slot]! < RETRY_MS) continue;
    if (counting) lost += 1;
    send(slot);
  }
}, RETRY_MS);
for (let slot = 0; slot < inFlight; slot += 1) send(slot);
await new Promise((resolve) => setTimeout(resolve, 700));
counting = true;
const begun = performance.now();
await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
const result: DnsLoadResult = { queriesPerSecond: (good * 1000) / (performance.now() - begun), wrong, lost };
clearInterval(retry);
process.stdout.write(JSON.stringify(result), () => process.exit(0));
