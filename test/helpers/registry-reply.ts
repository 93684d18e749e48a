import type { RegistryReply } from '../../src/discovery/http.ts';

/** A reply as `RegistryHttp` gives it. */
export function replyOf(body: string | Buffer, status = 200, url = 'http://consul/x'): RegistryReply {
  const bytes = Buffer.allocUnsafeSlow(Buffer.byteLength(body));
  Buffer.from(body).copy(bytes);
  return { status, header: () => undefined, body: bytes, text: bytes.toString('utf8'), url };
}
