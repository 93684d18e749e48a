// Compiles the TypeScript that runs inside nginx workers to one Lua file, dist/lua/upsync.lua.
import { fileURLToPath } from 'node:url';
import { resolve } from 'node:path';
import ts from 'typescript';
import * as tstl from 'typescript-to-lua';

const root = fileURLToPath(new URL('..', import.meta.url));

/** @param {string} outDir absolute */
export function buildLua(outDir = resolve(root, 'dist/lua')) {
  const { diagnostics } = tstl.transpileProject(resolve(root, 'tsconfig.lua.json'), {
    outDir,
    // What lets the sources name each other with `.ts`, as the rest of src/ does, while files are written.
    rewriteRelativeImportExtensions: true,
    luaBundleEntry: resolve(root, 'src/upsync/nginx/worker/main.ts'),
  });
  if (diagnostics.length === 0) return;
  const host = {
    getCanonicalFileName: (name) => name,
    getCurrentDirectory: () => root,
    getNewLine: () => '\n',
  };
  throw new Error(`the nginx worker does not compile\n${ts.formatDiagnostics(diagnostics, host)}`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    buildLua(process.argv[2] ? resolve(process.argv[2]) : undefined);
  } catch (error) {
    console.error(error.message);
    process.exitCode = 1;
  }
}
