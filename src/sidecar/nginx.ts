#!/usr/bin/env node
import { runNginx } from './supervisor/run-nginx.ts';

// `upsync nginx` as a program of its own, for whoever wants the path of an nginx and nothing else.
process.exitCode = await runNginx(process.argv.slice(2));
