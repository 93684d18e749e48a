import { execFileSync } from 'node:child_process';
import { cpus, release, totalmem } from 'node:os';
import { findConsul } from './consul-binary.ts';

/** What the numbers were measured on; printed with every result. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly kernel: string;
  readonly versions: Readonly<Record<string, string>>;
}

/** Reads the machine and the versions of the programs that take part. */
export function readMachine(): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    versions: {
      node: process.version,
      nginx: firstMatch('nginx', ['-v'], /nginx\/(\S+)/),
      luajit: firstMatch('luajit', ['-v'], /LuaJIT (\S+)/),
      wrk: firstMatch('wrk', ['-v'], /wrk (\S+)/),
      dnsmasq: firstMatch('dnsmasq', ['-v'], /version (\S+)/),
      consul: firstMatch(findConsul() ?? 'consul', ['version'], /Consul v?(\S+)/),
    },
  };
}

function firstMatch(program: string, args: readonly string[], pattern: RegExp): string {
  try {
    const env = { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin` };
    // `nginx -v` speaks on standard error, `wrk -v` exits with 1.
    const text = execFileSync('/bin/sh', ['-c', '"$0" "$@" 2>&1 || true', program, ...args], {
      env,
      encoding: 'utf8',
    });
    return pattern.exec(text)?.[1] ?? 'absent';
  } catch {
    return 'absent';
  }
}
