import type { ClientHttp2Session, ClientHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import { errors } from 'undici';

type GoawayListener = (this: ClientHttp2Session, code: number, lastStreamId: number, data?: Buffer) => void;

/** What an undici client has for its connection. */
interface ConnectionContext {
  readonly version: string;
  busy(request: unknown): boolean;
}

/**
 * A server that shuts down over h2 says GOAWAY and then finishes what it has begun. undici drops the connection at once, with
 * the answers that are still coming in. This lets them finish, as RFC 9113, 6.8 means it: `leaving` is told, so that new
 * requests go elsewhere, those under way go on, and undici opens another connection for those that were not sent yet.
 * undici keeps these objects under symbols of its own; should a version of it have other ones, all stays as undici has it.
 */
export function finishOnGoaway(client: object, leaving: () => void): void {
  const context = hidden(client, 'http context') as ConnectionContext | null | undefined;
  const session = hidden(client, 'http2Session') as ClientHttp2Session | null | undefined;
  const socket = hidden(client, 'socket') as Socket | null | undefined;
  if (context?.version !== 'h2' || !session || !socket) return;

  const listeners = session.listeners('goaway') as GoawayListener[];
  session.removeAllListeners('goaway');
  session.on('goaway', (code, lastStreamId, data) => {
    // With any other code than "no error", Node has destroyed the session by now.
    if (code !== 0) for (const listener of listeners) listener.call(session, code, lastStreamId, data);
  });

  const streams = new Set<ClientHttp2Stream>();
  const request = session.request.bind(session);
  session.request = (...args) => {
    const stream = request(...args);
    streams.add(stream);
    stream.once('close', () => streams.delete(stream));
    return stream;
  };
  const busy = context.busy.bind(context);
  context.busy = (wanted) => session.closed || busy(wanted);

  const close = session.close.bind(session);
  // Node closes the session as soon as it reads a GOAWAY, and emits the event a little later: too late for what is sent between.
  session.close = (callback) => {
    leaving();
    finishReading(socket, streams);
    close(callback);
  };
}

/**
 * The server closes the connection after its last answer, of which a part may still be on its way through Node; undici would
 * end the connection with it. Node ends it once all streams are read.
 */
function finishReading(socket: Socket, streams: ReadonlySet<ClientHttp2Stream>): void {
  const drop = socket.listeners('end').find(({ name }) => name === 'onHttp2SocketEnd');
  if (drop === undefined) return;
  socket.removeListener('end', drop as () => void);
  socket.allowHalfOpen = true;
  socket.once('end', () => {
    setImmediate(() => {
      for (const stream of streams)
        if (stream.state.remoteClose === 0) stream.destroy(new errors.SocketError('other side closed'));
    });
  });
}

function hidden(owner: object, description: string): unknown {
  const key = Object.getOwnPropertySymbols(owner).find((symbol) => symbol.description === description);
  return key === undefined ? undefined : (owner as Record<symbol, unknown>)[key];
}
