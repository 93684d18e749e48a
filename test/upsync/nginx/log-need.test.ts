import { describe, expect, it } from 'vitest';
import { translate } from '../../../src/upsync/nginx/translate.ts';
import { scratchFolder } from '../../helpers/scratch-folder.ts';
import { translateOptions } from '../../helpers/translate-options.ts';

const UPSYNC = 'upstream test { upsync 127.0.0.1:8500/v1/kv/upstreams/test upsync_type=consul; }';

describe('a configuration in which requests may go without the log phase', () => {
  const sparesLog = async (http: string): Promise<boolean | undefined> => {
    const folder = scratchFolder({ 'nginx.conf': `http { ${UPSYNC} ${http} }` });
    return (await translate(translateOptions(folder))).boot.sparesLog;
  };

  it.each([
    'server { location / { proxy_pass http://test; } }',
    'proxy_next_upstream error timeout; server { listen 80; }',
    'server { proxy_next_upstream timeout http_502 error non_idempotent; }',
    'server { location / { proxy_request_buffering on; } }',
    'init_by_lua_block { x = 1 } init_worker_by_lua_file a.lua;',
    'upstream other { balancer_by_lua_block { } server 0.0.0.1; }',
    'upstream other { server 127.0.0.1:1; } server { location / { upstream_show; } }',
    'error_page 502 /sorry.html;',
  ])('is one with %s', async (http) => {
    expect(await sparesLog(http)).toBe(true);
  });

  it.each([
    'server { location / { proxy_next_upstream off; } }',
    'proxy_next_upstream error;',
    'proxy_next_upstream timeout http_500;',
    'proxy_next_upstream error timeout off;',
    'server { location / { grpc_next_upstream error; } }',
    'server { location / { fastcgi_next_upstream_tries 1; } }',
    'proxy_next_upstream_timeout 3s;',
    'server { location /upload { proxy_request_buffering off; } }',
    'server { location / { if ($arg_a) { uwsgi_request_buffering off; } } }',
    'log_by_lua_block { x = 1 }',
    'server { header_filter_by_lua_file a.lua; }',
    'server { location / { access_by_lua "return"; } }',
    'server { server_rewrite_by_lua_block { } }',
  ])('is none with %s', async (http) => {
    expect(await sparesLog(http)).toBe(false);
  });
});
