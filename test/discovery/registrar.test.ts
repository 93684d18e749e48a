import { inspect } from 'node:util';
import { describe, expect, it, vi } from 'vitest';
import { createEmbeddedRegistry } from '../../src/discovery/embedded/registry.ts';
import { Registrar } from '../../src/discovery/registrar.ts';
import { FakeServer, httpReply } from '../helpers/fake-server.ts';
import { recordingLogger } from '../helpers/recording-logger.ts';
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

  it('beats again in time when one beat hangs', async () => {
    const beats: number[] = [];
    const server = await FakeServer.start((request, socket) => {
      if (request.includes('/check/pass/') && beats.push(performance.now()) === 1) return;
      socket.write(httpReply('null'));
    });
    const logger = recordingLogger();
    const registrar = new Registrar({ agent: server.url, name: 'web', port: 80, ttlMs: 3000, logger });
    await registrar.register();
    await vi.waitFor(() => expect(beats).toHaveLength(2), { timeout: 5000 });
    // The first beat is given up when the second is due, a third of the TTL later, and not another third after that.
    expect(beats[1]! - beats[0]!).toBeLessThan(1700);
    expect(logger.events()).toEqual(['service_registered', 'beat_failed']);
    await registrar.close();
    await server.stop();
  });

  it('beats for an instance whose first registration was the telling of a weight', async () => {
    const server = await FakeServer.start((_request, socket) => void socket.write(httpReply('null')));
    const registrar = new Registrar({ agent: server.url, name: 'web', port: 80, ttlMs: 60 });
    await registrar.setWeight(3);
    await vi.waitFor(() => expect(server.requests.join()).toContain('/check/pass/'));
    await registrar.close();
    await server.stop();
  });

  it('does not leave an instance in service whose maintenance could not be told again', async () => {
    let known = true;
    const maintenances: string[] = [];
    const server = await FakeServer.start((request, socket) => {
      if (request.includes('/check/pass/') && !known) {
        known = true;
        return void socket.write(httpReply('Unknown check ID', { status: '404 Not Found' }));
      }
      if (request.includes('/maintenance/') && maintenances.push(request) === 2)
        return void socket.write(httpReply('busy', { status: '500 Internal Server Error' }));
      socket.write(httpReply('null'));
    });
    const registrar = new Registrar({ agent: server.url, name: 'web', port: 80, ttlMs: 90 });
    await registrar.register();
    await registrar.maintenance(true, 'upgrade');
    known = false;
    await vi.waitFor(() => expect(maintenances.length).toBeGreaterThan(2), { timeout: 5000 });
    await registrar.close();
    await server.stop();
  });

  it('closes without ever having registered, and more than once', async () => {
    const registrar = new Registrar({ name: 'web', port: 80 });
    await Promise.all([registrar.close(), registrar.close()]);
  });

  it('registers with an agent at an IPv6 address', async () => {
    const registry = await createEmbeddedRegistry({ listen: '[::1]:0' });
    const registrar = new Registrar({ agent: registry.url, name: 'web', port: 80 });
    await registrar.register();
    await registrar.close();
    await registry.close();
  });

  // A TTL of none, or one that no timer can do, would make it beat without a pause.
  it.each([
    { port: 0 },
    { port: 65_536 },
    { ttlMs: 0 },
    { ttlMs: Number.NaN },
    { ttlMs: 1e10 },
    { drainMs: -1 },
    { drainMs: 1e10 },
    { deregisterAfterMs: 59_999 },
  ])('refuses %o', (wrong) => {
    expect(() => new Registrar({ name: 'web', port: 80, ...wrong })).toThrow(RangeError);
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
