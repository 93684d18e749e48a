import { createHash } from 'node:crypto';
import { createServer } from 'node:http';

// A websocket server on a unix socket that sends every text frame back. Frames here are tens of bytes, so one read holds
// whole frames and lengths of one byte are all there is; anything else ends the connection.
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const TEXT = 0x81;
const MASKED = 0x80;
const LONGEST = 125;

function echoes(frames: Buffer): Buffer | undefined {
  const replies: Buffer[] = [];
  for (let at = 0; at < frames.length;) {
    const length = (frames[at + 1] ?? 0) - MASKED;
    if (frames[at] !== TEXT || length < 0 || length > LONGEST) return undefined;
    const mask = frames.subarray(at + 2, at + 6);
    const text = frames.subarray(at + 6, at + 6 + length).map((byte, index) => byte ^ mask[index % 4]!);
    replies.push(Buffer.from([TEXT, length]), text as Buffer);
    at += 6 + length;
  }
  return Buffer.concat(replies);
}

const server = createServer((_, response) => response.writeHead(426).end());
server.on('upgrade', (request, socket) => {
  const accept = createHash('sha1')
    .update(`${request.headers['sec-websocket-key'] ?? ''}${GUID}`)
    .digest('base64');
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
  );
  socket.on('data', (frames: Buffer) => {
    const reply = echoes(frames);
    if (reply === undefined) socket.destroy();
    else socket.write(reply);
  });
  socket.on('error', () => socket.destroy());
});
server.listen(process.argv[2], () => process.stdout.write('ready\n'));
