#!/usr/bin/env node

// `nginx` comes first and loads nothing of the rest: whoever starts nginx waits for it.
if (process.argv[2] === 'nginx') {
  const { runNginx } = await import('./supervisor/run-nginx.ts');
  process.exitCode = await runNginx(process.argv.slice(3));
} else {
  const { runProgram } = await import('./cli/program.ts');
  process.exitCode = await runProgram(process.argv.slice(2));
}
