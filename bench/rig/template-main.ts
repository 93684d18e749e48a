import { execFile } from 'node:child_process';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { request } from 'undici';
import { NGINX } from './backends.ts';

// What consul-template does for nginx, and nothing more: blocking query, render the file, `nginx -t`, reload. It is written
// here because the original cannot be installed from a package registry; it has none of the original's own waiting times.
const [url, file, configuration, pidFile] = process.argv.slice(2) as [string, string, string, string];
const run = promisify(execFile);
let index = '0';
let rendered = readFileSync(file, 'utf8');

for (;;) {
  try {
    const reply = await request(`${url}/v1/kv/upstreams/backend/?recurse&index=${index}&wait=60s`, {
      headersTimeout: 90_000,
    });
    const entries = (await reply.body.json()) as { Key: string; Value: string | null }[];
    const next = String(reply.headers['x-consul-index']);
    if (reply.statusCode !== 200 || next === index) continue;
    index = next;
    const lines = entries.map(({ Key, Value }) => {
      const { weight = 1 } = JSON.parse(Buffer.from(Value ?? 'e30=', 'base64').toString()) as {
        weight?: number;
      };
      return `server ${Key.slice(Key.lastIndexOf('/') + 1)} weight=${weight} max_fails=2 fail_timeout=10s;`;
    });
    const text = `${lines.sort().join('\n')}\n`;
    if (text === rendered) continue;
    writeFileSync(`${file}.tmp`, text);
    renameSync(`${file}.tmp`, file);
    await run(NGINX, ['-t', '-q', '-c', configuration]);
    process.kill(Number(readFileSync(pidFile, 'utf8')), 'SIGHUP');
    rendered = text;
  } catch (error) {
    process.stderr.write(`template: ${String(error)}\n`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}
