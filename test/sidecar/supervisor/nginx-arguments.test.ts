import { describe, expect, it } from 'vitest';
import { parseNginxArguments } from '../../../src/sidecar/supervisor/arguments.ts';
import { globalDirectives, nginxArguments } from '../../../src/sidecar/supervisor/nginx-arguments.ts';

const master = { configPath: '/run/conf/nginx.conf', pidFile: '/run/private/nginx.pid', daemon: false };
const ours = 'daemon off; pid "/run/private/nginx.pid";';

describe('the arguments of the real nginx', () => {
  it('name the translation, and keep what the user said', () => {
    const args = parseNginxArguments(['-c', 'a.conf', '-p/p', '-e', '/e.log', '-g', 'worker_processes 3;']);
    expect(nginxArguments(args, master)).toEqual([
      '-c',
      '/run/conf/nginx.conf',
      '-p',
      '/p',
      '-e',
      '/e.log',
      '-g',
      `${ours} worker_processes 3;`,
    ]);
  });

  it.each([
    [undefined, ours],
    ['', ours],
    ['daemon off;', ours],
    ['pid /x/nginx.pid; error_log /x/e.log debug;', `${ours} error_log /x/e.log debug;`],
    ['user "a b"; daemon  on ; env X=1;', `${ours} user "a b";  env X=1;`],
    ['pid "/x;y";', ours],
  ])('-g %j becomes %j', (given, expected) => {
    expect(globalDirectives(given, master)).toBe(expected);
  });

  it('lets nginx become a daemon where we are one', () => {
    expect(globalDirectives(undefined, { ...master, daemon: true })).toMatch(/^daemon on;/);
  });
});
