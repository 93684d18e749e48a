import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { until } from './upsync-nginx.ts';
import { freePorts } from './ports.ts';

/** Many backends in one plain nginx, which costs less than a Node server each; every answer is the address asked. */
export interface PlainBackends {
  readonly addresses: readonly string[];
  close(): Promise<void>;
}

export async function startPlainBackends(count: number): Promise<PlainBackends> {
  const folder = mkdtempSync(path.join(tmpdir(), 'upsync-backends-'));
  const addresses = (await freePorts(count)).map((port) => `127.0.0.1:${port}`);
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${folder}/${name};`)
    .join(' ');
  const file = path.join(folder, 'nginx.conf');
  writeFileSync(
    file,
    `daemon off; worker_processes 1; pid ${folder}/nginx.pid; error_log ${folder}/error.log;
events { worker_connections 1024; }
http {
  access_log off; keepalive_requests 10000000; keepalive_timeout 600; ${temporary}
  server { ${addresses.map((address) => `listen ${address};`).join(' ')} return 200 "$server_addr:$server_port"; }
}
`,
  );
  const nginx: ChildProcess = spawn('nginx', ['-c', file, '-p', folder], { stdio: 'ignore' });
  await until(async () => {
    if (nginx.exitCode !== null) throw new Error(`nginx as backends ended with ${nginx.exitCode}`);
    return fetch(`http://${addresses[0]}/`, { headers: { connection: 'close' } }).then(
      (answer) => answer.ok,
      () => false,
    );
  });
  return {
    addresses,
    close: async () => {
      const gone = nginx.exitCode === null ? once(nginx, 'exit') : undefined;
      nginx.kill('SIGTERM');
      await gone;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
