import { createConnection } from 'node:net';
import { describe, expect, it } from 'vitest';
import { get, put, type Running, send, unique } from './subject.ts';

/** Status lines, headers and errors that belong to no endpoint in particular. */
export function httpContract(running: Running): void {
  describe('over HTTP', () => {
    it.each([
      ['GET', '/v1/nope', 404, 'Invalid URL path: not a recognized HTTP API endpoint\n'],
      [
        'GET',
        '/nope',
        404,
        "Invalid URL path: if attempting to use the HTTP API, ensure the path starts with '/v1/'\n",
      ],
      ['POST', '/v1/kv/a', 405, 'method POST not allowed'],
      ['DELETE', '/v1/catalog/nodes', 405, 'method DELETE not allowed'],
      ['GET', '/v1/kv/a?index=x', 400, 'Invalid index'],
      ['GET', '/v1/kv/a?index=-1', 400, 'Invalid index'],
      ['GET', '/v1/kv/a?index=18446744073709551616', 400, 'Invalid index'],
      ['GET', '/v1/kv/a?wait=x', 400, 'Invalid wait time'],
      ['GET', '/v1/kv/a?wait=10', 400, 'Invalid wait time'],
      [
        'GET',
        '/v1/kv/a?stale&consistent',
        400,
        'Cannot specify ?stale with ?consistent, conflicting semantics.',
      ],
      [
        'GET',
        '/v1/kv/a?cached&consistent',
        400,
        'Cannot specify ?cached with ?consistent, conflicting semantics.',
      ],
      ['GET', '/v1/kv/a?dc=nowhere', 500, 'No path to datacenter'],
      ['PUT', '/v1/kv/a?dc=nowhere', 500, 'No path to datacenter'],
      ['GET', '/v1/health/service/a?dc=nowhere', 500, 'No path to datacenter'],
      ['GET', '/v1/kv/a?x=%zz', 500, ''],
      ['GET', '/v1/kv/a?x;y', 500, ''],
      ['GET', '/v1/kv/a%01b', 400, ''],
      ['GET', '/v1/kv?recurse', 307, '<a href="/v1/kv/?recurse">Temporary Redirect</a>.\n\n'],
      ['GET', '/v1/catalog/service', 307, '<a href="/v1/catalog/service/">Temporary Redirect</a>.\n\n'],
      ['PUT', '/v1/agent/check/pass', 307, ''],
      ['GET', '/v1/kv/a?ns=', 404, ''],
      [
        'PUT',
        '/v1/kv/a?ns=x',
        400,
        'Invalid query parameter: "ns" - Namespaces are a Consul Enterprise feature',
      ],
      [
        'GET',
        '/v1/catalog/nodes?ns=x&partition=y',
        400,
        'Invalid query parameter: "partition" - Partitions are a Consul Enterprise feature',
      ],
    ])('answers %s %s with %i', async (method, path, status, text) => {
      const answer = await send(running(), method, path);
      expect({ status: answer.status, text: answer.text }).toEqual({ status, text });
    });

    it('lets a namespace pass where there is nothing of one', async () => {
      const { status } = await get(running(), '/v1/catalog/datacenters?ns=x&partition=y');
      expect(status).toBe(200);
    });

    it('names the allowed methods with a 405 and on OPTIONS', async () => {
      const refused = await send(running(), 'POST', '/v1/kv/a');
      const options = await send(running(), 'OPTIONS', '/v1/kv/a');
      expect(refused.headers.get('allow')).toBe('OPTIONS,GET,PUT,DELETE');
      expect(options.headers.get('allow')).toBe('OPTIONS,GET,PUT,DELETE');
      expect(options.status).toBe(200);
    });

    it('sends a client that doubled a slash to the clean path', async () => {
      const answer = await get(running(), '/v1/kv/a//b?raw');
      expect([answer.status, answer.headers.get('location')]).toEqual([307, '/v1/kv/a/b?raw']);
      expect(answer.headers.get('content-type')).toBe('text/html; charset=utf-8');
      const written = await put(running(), '/v1/kv/a//b', 'x');
      expect([written.status, written.text, written.headers.get('content-type')]).toEqual([307, '', null]);
    });

    it('marks the replies to reads with index, leader and contact', async () => {
      const { headers } = await get(running(), '/v1/catalog/nodes');
      expect(headers.get('content-type')).toBe('application/json');
      expect(headers.get('x-consul-knownleader')).toBe('true');
      expect(headers.get('x-consul-lastcontact')).toBe('0');
      expect(headers.get('x-consul-effective-consistency')).toBe('leader');
      expect(headers.get('x-consul-query-backend')).toBe('blocking-query');
      expect(headers.get('x-consul-default-acl-policy')).toBe('allow');
      expect(Number(headers.get('x-consul-index'))).toBeGreaterThan(0);
    });

    it('says which consistency it answered with', async () => {
      const stale = await get(running(), '/v1/catalog/nodes?stale');
      const consistent = await get(running(), '/v1/catalog/nodes?consistent');
      expect(stale.headers.get('x-consul-effective-consistency')).toBe('stale');
      expect(consistent.headers.get('x-consul-effective-consistency')).toBe('consistent');
    });

    it('ignores a token when no access control is set up', async () => {
      const answer = await get(running(), '/v1/catalog/datacenters?token=anything');
      expect(answer.json).toEqual([running().datacenter]);
    });

    it('indents with four spaces and ends the line when asked to be pretty', async () => {
      const key = unique('pretty');
      await put(running(), `/v1/kv/${key}`, 'x');
      const { text } = await get(running(), `/v1/kv/${key}?pretty`);
      expect(text).toMatch(/^\[\n {4}\{\n {8}"LockIndex": 0,\n {8}"Key": ".*",\n/);
      expect(text.endsWith('    }\n]\n')).toBe(true);
    });

    it('answers an HTTP/1.0 request with "200 OK" and closes, as nginx-upsync-module needs', async () => {
      const key = unique('old');
      await put(running(), `/v1/kv/${key}`, 'x');
      const reply = await raw(
        running().url,
        `GET /v1/kv/${key}?recurse&index=0 HTTP/1.0\r\nHost: x\r\nAccept: */*\r\n\r\n`,
      );
      expect(reply).toMatch(/^HTTP\/1\.[01] 200 OK\r\n/);
      expect(reply).toMatch(/\r\nX-Consul-Index: \d+\r\n/);
      expect(reply).not.toMatch(/chunked/i);
    });

    it.each([
      ['a broken escape in the path', 'GET /v1/kv/%zz HTTP/1.1\r\nHost: x\r\n\r\n'],
      ['no HTTP at all', 'hello\r\n\r\n'],
      ['a bad header', 'GET / HTTP/1.1\r\nHost: x\r\nbad header: \x01\x02\r\n\r\n'],
    ])('answers %s with 400 and goes on serving', async (_what, bytes) => {
      expect(await raw(running().url, bytes)).toMatch(/^HTTP\/1\.1 400 Bad Request/);
      expect((await get(running(), '/v1/status/leader')).status).toBe(200);
    });

    it('names a leader and its peers', async () => {
      const leader = await get(running(), '/v1/status/leader');
      const peers = await get(running(), '/v1/status/peers');
      expect(leader.json).toMatch(/^127\.0\.0\.1:\d+$/);
      expect(peers.json).toEqual([leader.json]);
    });
  });
}

async function raw(url: string, bytes: string): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = createConnection({ host: hostname, port: Number(port) }, () => socket.write(bytes));
    let reply = '';
    socket.setTimeout(5000, () => socket.destroy());
    socket.on('data', (chunk) => (reply += chunk.toString()));
    socket.on('error', reject);
    socket.on('close', () => resolve(reply));
  });
}
