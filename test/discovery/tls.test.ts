import { once } from 'node:events';
import { copyFile, mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openSource } from '../../src/discovery/open.ts';
import type { RegistryTls } from '../../src/discovery/source.ts';
import { ListReader } from '../helpers/reading-lists.ts';
import { sourceOptions } from '../helpers/source-options.ts';
import { createAuthority, type TestCertificate } from '../helpers/test-certificates.ts';

describe('a registry behind TLS', () => {
  let folder: string;
  let server: Server;
  let ours: Awaited<ReturnType<typeof createAuthority>>;
  let others: Awaited<ReturnType<typeof createAuthority>>;
  let client: TestCertificate;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'upsync-tls-'));
    ours = await createAuthority(folder, 'ours');
    others = await createAuthority(folder, 'others');
    client = await ours.issue('client', 'DNS:client.test');
    const own = await ours.issue('server', 'DNS:consul.test');
    const [cert, key, ca] = await Promise.all([own.cert, own.key, ours.ca].map((path) => readFile(path)));
    server = createServer(
      { cert, key, ca, requestCert: true, rejectUnauthorized: false },
      (request, response) => {
        const known = (request.socket as TLSSocket).authorized;
        response.writeHead(known ? 200 : 403, { 'X-Consul-Index': '5' });
        response.end('[]');
      },
    );
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  afterAll(async () => {
    server.closeAllConnections();
    server.close();
    await rm(folder, { recursive: true, force: true });
  });
  const source = (tls: RegistryTls) => {
    const addresses = [`https://127.0.0.1:${(server.address() as AddressInfo).port}`];
    return openSource(sourceOptions({ type: 'consul', path: '/v1/kv/a/', addresses, tls }));
  };
  const ask = async (from: ReturnType<typeof source>): Promise<string> => {
    const reader = new ListReader(from);
    try {
      return `${(await reader.next()).servers.length} servers`;
    } catch (error) {
      return (error as { code: string }).code;
    } finally {
      await reader.stop().catch(() => false);
    }
  };

  it('is trusted by its CA and its name, and shown a certificate', async () => {
    const serverName = 'consul.test';
    expect(await ask(source({ ca: ours.ca, serverName, ...client }))).toBe('0 servers');
    expect(await ask(source({ ca: ours.ca, serverName }))).toBe('SOURCE_DENIED');
    expect(await ask(source({ ca: ours.ca, ...client }))).toBe('SOURCE_UNREACHABLE');
    expect(await ask(source({ ca: others.ca, serverName, ...client }))).toBe('SOURCE_UNREACHABLE');
    expect(await ask(source({ serverName, ...client }))).toBe('SOURCE_UNREACHABLE');
  });

  it('is asked with the files as they are after a failure, so that they can be renewed', async () => {
    const ca = join(folder, 'current.pem');
    const renewed = source({ ca, serverName: 'consul.test', ...client });
    expect(await ask(renewed)).toBe('SOURCE_CREDENTIALS');
    await copyFile(others.ca, ca);
    expect(await ask(renewed)).toBe('SOURCE_UNREACHABLE');
    await copyFile(ours.ca, ca);
    expect(await ask(renewed)).toBe('0 servers');
  });
});
