import { interceptors, request } from 'undici';
import { createServer, UpsyncDispatcher, UpsyncError } from 'upsync';

/** A list of your own, undici's interceptors on top, and errors told apart by their code. */
export async function compose(addresses: readonly string[]): Promise<number | string> {
  const dispatcher = new UpsyncDispatcher({
    upstream: 'users',
    servers: addresses.map((address, at) => createServer(address, { weight: at + 1, maxFails: 1 })),
    nextUpstreamTries: 2,
    nextUpstreamTimeoutMs: 3000,
    pool: { connections: 16, headersTimeout: 2000 },
  });
  try {
    const composed = dispatcher.compose(interceptors.redirect({ maxRedirections: 1 }));
    const { statusCode, body } = await request('http://users/', { dispatcher: composed });
    await body.dump();
    return statusCode;
  } catch (error) {
    if (error instanceof UpsyncError) return error.code;
    throw error;
  } finally {
    await dispatcher.close();
  }
}
