import path from 'node:path';
import type { TranslateOptions, WorkersMode } from '../../src/upsync/nginx/translation.ts';

/** The Lua modules of Debian's nginx. */
export const DEBIAN_LUA = {
  kind: 'dynamic',
  modules: ['/usr/lib/nginx/modules/ndk_http_module.so', '/usr/lib/nginx/modules/ngx_http_lua_module.so'],
} as const;

export const WORKERS: WorkersMode = {
  kind: 'workers',
  luaFile: '/opt/upsync.lua',
  bootFile: '/run/boot.json',
  controlSocket: '/run/upsync/private/control.sock',
};

/** Options for a main file in a folder; names resolve to 192.0.2.1, `nowhere` to nothing. */
export function translateOptions(folder: string, more: Partial<TranslateOptions> = {}): TranslateOptions {
  return {
    main: path.join(folder, 'nginx.conf'),
    prefix: folder,
    defaultPid: 'logs/nginx.pid',
    lua: { kind: 'static' },
    mode: WORKERS,
    lookup: async (host) => {
      if (host.startsWith('nowhere')) throw new Error('not found');
      return host === 'two.example' ? ['192.0.2.2', '2001:db8::2'] : ['192.0.2.1'];
    },
    ...more,
  };
}
