import type { IncomingMessage } from 'node:http';
import { HttpError } from './errors.ts';

/**
 * Reads a request's whole body.
 * @throws {HttpError} 413 as soon as it is larger than `limit` bytes, 400 when the client left in the middle.
 */
export async function readBody(request: IncomingMessage, limit: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  return new Promise((resolve, reject) => {
    request.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > limit) {
        request.pause();
        reject(
          new HttpError(413, `Request body too large, max size: ${limit} bytes`, { Connection: 'close' }),
        );
      } else chunks.push(chunk);
    });
    request.once('end', () => resolve(Buffer.concat(chunks)));
    request.once('error', () => reject(new HttpError(400, 'the request was cut off')));
    request.once('close', () => reject(new HttpError(400, 'the request was cut off')));
  });
}
