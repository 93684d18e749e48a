import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Paths of one certificate and its key. */
export interface TestCertificate {
  readonly cert: string;
  readonly key: string;
}

/** Makes a certificate authority in `folder` and hands out certificates signed by it; needs the `openssl` program. */
export async function createAuthority(folder: string, name: string) {
  const ca = { cert: join(folder, `${name}.pem`), key: join(folder, `${name}.key`) };
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  await run('openssl', [
    ...['req', '-x509', '-days', '2', '-subj', `/CN=${name}`, ...newKey],
    ...['-keyout', ca.key, '-out', ca.cert],
  ]);
  return {
    ca: ca.cert,
    /** @param altName as openssl writes it: `IP:127.0.0.1` or `DNS:consul.test`. */
    async issue(subject: string, altName: string): Promise<TestCertificate> {
      const base = join(folder, `${name}-${subject}`);
      await writeFile(`${base}.ext`, `subjectAltName=${altName}\n`);
      await run('openssl', [
        ...['req', '-subj', `/CN=${subject}`, ...newKey, '-keyout', `${base}.key`, '-out', `${base}.csr`],
      ]);
      await run('openssl', [
        ...['x509', '-req', '-days', '2', '-in', `${base}.csr`, '-CA', ca.cert, '-CAkey', ca.key],
        ...['-CAcreateserial', '-extfile', `${base}.ext`, '-out', `${base}.pem`],
      ]);
      return { cert: `${base}.pem`, key: `${base}.key` };
    },
  };
}
