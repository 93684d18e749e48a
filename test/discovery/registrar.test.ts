import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { createEmbeddedRegistry } from '../../src/discovery/embedded/registry.ts';
import { Registrar } from '../../src/discovery/registrar.ts';
import { FakeServer, httpReply } from '../helpers/fake-server.ts';
import { describeRegistrar } from './registrar.behaviour.ts';

describeRegistrar('the embedded registry', async () => {
  const registry = await createEmbeddedRegistry({ listen: '127.0.0.1:0' });
  return { url: registry.url, stop: () => registry.close() };
});

describe('the registrar', () => {
  it('says what failed, without the token', async () => {
    const server = await FakeServer.start((_request, socket) => {
      socket.write(httpReply('token s3cret is unknown', { status: '403 Forbidden' }));
    });
    const registrar = new Registrar({ agent: server.url, name: 'web', port: 80, token: 's3cret' });
    const error: unknown = await registrar.register().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'REGISTRAR_FAILED', status: 403 });
    expect(inspect(error, { depth: 10 })).not.toContain('s3cret');
    expect(server.requests[0]).toMatch(/^x-consul-token: s3cret$/im);
    await registrar.close();
    await server.stop();
  });

  it('closes without ever having registered, and more than once', async () => {
    const registrar = new Registrar({ name: 'web', port: 80 });
    await Promise.all([registrar.close(), registrar.close()]);
  });

  it.each([0, 65_536, 1.5, Number.NaN])('refuses the weight %s', (weight) => {
    expect(() => new Registrar({ name: 'web', port: 80, weight })).toThrow(RangeError);
  });

  it('names an instance after what it is', () => {
    expect(new Registrar({ name: 'web', address: '10.0.0.1', port: 80 }).id).toBe('web-10.0.0.1-80');
    expect(new Registrar({ name: 'web', port: 80 }).id).toBe('web-80');
    expect(new Registrar({ name: 'web', port: 80, id: 'x' }).id).toBe('x');
  });
});
