import { request } from 'node:http';
import { UpsyncError } from '../../upstream/errors.ts';
import type { EngineStatus } from '../engine-status.ts';

const BOUND_MS = 5000;
const MAX_BYTES = 256 * 1024 * 1024;

/**
 * Asks a running engine how it does.
 * @throws {UpsyncError} ENGINE_SILENT when nobody answers on its socket.
 */
export function askEngine(socketPath: string): Promise<EngineStatus> {
  return new Promise((resolve, reject) => {
    const fail = (why: string, cause?: unknown): void =>
      reject(
        new UpsyncError('ENGINE_SILENT', `the engine on ${socketPath} does not answer: ${why}`, { cause }),
      );
    const ask = request({ socketPath, path: '/status', timeout: BOUND_MS }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
        if (text.length > MAX_BYTES) ask.destroy(new Error('the answer is too long'));
      });
      response.on('end', () => {
        if (response.statusCode !== 200) fail(`status ${response.statusCode}`);
        else resolve(JSON.parse(text) as EngineStatus);
      });
    });
    ask.on('timeout', () => ask.destroy(new Error(`nothing within ${BOUND_MS / 1000} s`)));
    ask.on('error', (error) => fail(error.message, error));
    ask.end();
  });
}
