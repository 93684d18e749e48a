import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { consulRequired, locateConsul, NO_CONSUL, startConsul } from '../helpers/consul.ts';
import { Box, until } from '../helpers/upsync-nginx.ts';

// What nginx-upsync-module promises its users, step by step: changes by Consul's KV API over HTTP/1.0, the list as
// upstream_show prints it, and the dump file.

const NGINX = path.resolve(import.meta.dirname, '../../dist/sidecar/nginx.js');
const KV = '/v1/kv/upstreams/test';

interface Step {
  readonly what: string;
  /** A request to the registry: method, rest of the path, body. */
  readonly change: readonly [method: 'PUT' | 'DELETE', rest: string, body?: string];
  /** The list afterwards, in order. */
  readonly list: readonly string[];
  /** Asked right after the registry's answer, without any pause. */
  readonly atOnce?: boolean;
}

const one = '127.0.0.1:8088';
const two = '127.0.0.1:8089';
const tuned = (weight: number, rest: string): string => `weight=${weight} ${rest}`;
const DEFAULTS = 'max_fails=2 fail_timeout=10s;';

const STEPS: readonly Step[] = [
  {
    what: 'a key without a value is a server with the defaults, and the configured one goes',
    change: ['PUT', `/${two}`, ''],
    list: [`${two} weight=1 ${DEFAULTS}`],
  },
  {
    what: 'a new server stands first',
    change: ['PUT', `/${one}`, '{"weight":10,"max_fails":3,"fail_timeout":10}'],
    list: [`${one} ${tuned(10, 'max_fails=3 fail_timeout=10s;')}`, `${two} weight=1 ${DEFAULTS}`],
  },
  {
    what: 'a deleted server goes',
    change: ['DELETE', `/${two}`],
    list: [`${one} ${tuned(10, 'max_fails=3 fail_timeout=10s;')}`],
  },
  {
    what: 'a server that comes back stands first, at once',
    change: ['PUT', `/${two}`, '{"weight":20,"max_fails":0,"fail_timeout":30}'],
    list: [
      `${two} ${tuned(20, 'max_fails=0 fail_timeout=30s;')}`,
      `${one} ${tuned(10, 'max_fails=3 fail_timeout=10s;')}`,
    ],
    atOnce: true,
  },
  {
    what: 'the last but one can go',
    change: ['DELETE', `/${one}`],
    list: [`${two} ${tuned(20, 'max_fails=0 fail_timeout=30s;')}`],
  },
  {
    what: 'and come back',
    change: ['PUT', `/${one}`, '{"weight":20,"max_fails":0,"fail_timeout":30}'],
    list: [
      `${one} ${tuned(20, 'max_fails=0 fail_timeout=30s;')}`,
      `${two} ${tuned(20, 'max_fails=0 fail_timeout=30s;')}`,
    ],
  },
  {
    what: 'an attribute that is not named goes back to its default',
    change: ['PUT', `/${one}`, '{"weight":40}'],
    list: [`${one} ${tuned(40, DEFAULTS)}`, `${two} ${tuned(20, 'max_fails=0 fail_timeout=30s;')}`],
  },
  {
    what: 'when everything is deleted the last list stays',
    change: ['DELETE', '?recurse'],
    list: [`${one} ${tuned(40, DEFAULTS)}`, `${two} ${tuned(20, 'max_fails=0 fail_timeout=30s;')}`],
  },
  {
    what: 'a server can be down',
    change: ['PUT', `/${one}`, '{"weight":40,"max_fails":3,"fail_timeout":20, "down":1}'],
    list: [`${one} ${tuned(40, 'max_fails=3 fail_timeout=20s down;')}`],
  },
  {
    what: 'and up again',
    change: ['PUT', `/${one}`, '{"weight":40,"max_fails":0,"fail_timeout":30, "down":0}'],
    list: [`${one} ${tuned(40, 'max_fails=0 fail_timeout=30s;')}`],
  },
];

const shown = (lines: readonly string[]): string =>
  `Upstream name: test; Backend server count: ${lines.length}\n` +
  lines.map((line) => `        server ${line}\n`).join('');

for (const registry of ['embedded', 'consul'] as const) {
  for (const workers of ['1', 'auto']) {
    await t.test(`${registry} registry, worker_processes ${workers}`, async (t) => {
      const box = await Box.open(t);
      const port = registry === 'embedded' ? box.registry.port : await realConsul(t);
      if (port === undefined) {
        t.notOk(consulRequired, NO_CONSUL);
        return;
      }
      // Go's servers take bare line feeds, which the module's own tests send; Node's do not.
      const ask = (to: number, request: readonly string[], body = ''): Promise<string> =>
        http10(to, request.join(registry === 'consul' || to === box.proxyPort ? '\n' : '\r\n'), body);
      writeConfiguration(box, port, workers);
      const began = performance.now();
      const pidFile = box.file('nginx.pid');
      const globals = `pid ${pidFile}; error_log ${box.file('error.log')} debug;`;
      const nginx = spawn(NGINX, ['-c', box.file('nginx.conf'), '-p', box.folder, '-g', globals], {
        env: box.env,
        stdio: 'ignore',
      });
      t.teardown(() => nginx.kill('SIGTERM'));
      await until(() => existsSync(pidFile), 3000);
      t.comment(`the pid file was there after ${Math.round(performance.now() - began)} ms`);
      t.equal(Number(readFileSync(pidFile, 'utf8')), nginx.pid, 'it names the process that was started');

      for (const { what, change, list, atOnce } of STEPS) {
        const [method, rest, body = ''] = change;
        const request = [`${method} ${KV}${rest} HTTP/1.0`, 'Host: localhost'];
        if (method === 'PUT') request.push(`Content-Length: ${body.length}`);
        t.match(await ask(port, [...request, '', ''], body), 'true', `${method} ${rest} ${body}`);
        const show = (query: string): Promise<string> =>
          ask(box.proxyPort, [`GET /upstream_list${query} HTTP/1.0`, 'Host: localhost', '', '']);
        if (atOnce) t.equal(bodyOf(await show('?test')), shown(list), what);
        else if (what.includes('stays')) await delay(500);
        await until(async () => bodyOf(await show('?test')) === shown(list)).catch(() => undefined);
        t.equal(bodyOf(await show('?test')), shown(list), what);
        const backend = 'server 127.0.0.1:8090 weight=10 max_fails=3 fail_timeout=10s;';
        const all = `${shown(list)}\nUpstream name: backend; Backend server count: 1\n        ${backend}\n\n`;
        t.equal(bodyOf(await show('')), all, 'all upstreams in the order of the configuration');
        const dump = list.map((line) => `server ${line}\n`).join('');
        await until(() => box.read('servers_test.conf') === dump).catch(() => undefined);
        t.equal(box.read('servers_test.conf'), dump, 'the dump file follows');
      }

      const ended = new Promise<number | null>((resolve) => nginx.once('exit', resolve));
      process.kill(Number(readFileSync(pidFile, 'utf8')), 'SIGQUIT');
      t.equal(await ended, 0, 'QUIT to the pid in the file ends the process that was started');
      const alerts = spawnSync('grep', ['-c', '\\[alert\\]', box.file('error.log')], { encoding: 'utf8' });
      t.equal(alerts.stdout.trim(), '0', 'no alert in the error log');
      rmSync(pidFile, { force: true });
    });
  }
}

function writeConfiguration(box: Box, port: number, workers: string): void {
  writeFileSync(
    box.file('nginx.conf'),
    `daemon off;

worker_processes ${workers};

events {
    accept_mutex off;
}

http {
    access_log off;

    upstream test {
        upsync 127.0.0.1:${port}${KV} upsync_interval=50ms upsync_timeout=6m upsync_type=consul;
        upsync_dump_path ${box.file('servers_test.conf')};

        server 127.0.0.1:8088 weight=10 max_fails=3 fail_timeout=10;
    }

    upstream backend {
        server 127.0.0.1:8090 weight=10 max_fails=3 fail_timeout=10;
    }

    server {
        listen 127.0.0.1:${box.proxyPort};

        location / {
            proxy_pass http://$host;
        }

        location /upstream_list {
            upstream_show;
        }
    }
}
`,
  );
}

async function realConsul(t: { teardown(step: () => unknown): void }): Promise<number | undefined> {
  if ((await locateConsul()) === undefined) return undefined;
  const consul = await startConsul();
  t.teardown(() => consul.stop());
  return consul.port;
}

function http10(port: number, head: string, body: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let reply = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(head + body));
    socket.setEncoding('utf8').setTimeout(5000, () => socket.destroy(new Error('no answer')));
    socket.on('data', (chunk: string) => (reply += chunk));
    socket.once('end', () => resolve(reply)).once('error', reject);
  });
}

function bodyOf(reply: string): string {
  return reply.slice(reply.indexOf('\r\n\r\n') + 4);
}
