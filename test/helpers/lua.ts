import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Balancer, BalancerOptions, Peer } from '../../src/balancer/balancer.ts';
import { createBalancer } from '../../src/balancer/create.ts';
import type { Server } from '../../src/upstream/server.ts';

const ROOT = join(import.meta.dirname, '..', '..');

/**
 * A run of balancer calls, done at once in JavaScript and written down line by line, so that `inLua` can repeat it under
 * LuaJIT with the same source compiled to Lua.
 */
export class BalancerScript {
  balancer!: Balancer;
  /** What each pick chose, as the place in the list; -1 for nothing. */
  readonly choices: number[] = [];
  readonly #lines: string[] = [];
  readonly #tickets = new Map<number, Peer>();

  /** Builds the balancer of a new list; `carry` hands the state of the one before on. */
  create(options: BalancerOptions, servers: readonly Server[], carry = false): void {
    this.balancer = createBalancer(options, servers, carry ? this.balancer : undefined);
    this.#lines.push(
      `B ${options.method} ${options.seed} ${options.loadFactor} ${carry ? 1 : 0} ${servers.length}`,
    );
    for (const s of servers) {
      const flags = [s.down, s.backup, s.drain].map(Number);
      this.#lines.push(
        [s.address, s.weight, s.maxFails, s.failTimeoutMs, ...flags, s.maxConns, s.slowStartMs].join(' '),
      );
    }
  }

  /** A ticket for the choice, or -1. `tried` are tickets of earlier picks. */
  pick(now: number, key = '', tried: readonly number[] = []): number {
    const triedPeers = tried.map((ticket) => this.#tickets.get(ticket)!);
    const peer = this.balancer.pick({ now, key, tried: triedPeers });
    const hex = Buffer.from(key, 'latin1').toString('hex');
    this.#lines.push(`P ${now} x${hex} ${tried.join(',') || '-'}`);
    this.choices.push(peer === undefined ? -1 : this.balancer.peers.indexOf(peer));
    if (peer === undefined) return -1;
    const ticket = this.choices.length;
    this.#tickets.set(ticket, peer);
    return ticket;
  }

  done(ticket: number, failed: boolean, now: number, responseMs = 1): void {
    this.balancer.done(this.#tickets.get(ticket)!, failed, now, responseMs);
    this.#lines.push(`D ${ticket} ${failed ? 1 : 0} ${now} ${responseMs}`);
  }

  /** The peer behind a ticket. */
  peer(ticket: number): Peer {
    return this.#tickets.get(ticket)!;
  }

  /** The same calls made by LuaJIT: what each pick chose. */
  inLua(): number[] {
    const output = execFileSync(
      'luajit',
      [join(import.meta.dirname, 'balancer-script.lua'), compileBalancer()],
      {
        input: `${this.#lines.join('\n')}\n`,
        maxBuffer: 256 * 1024 * 1024,
        encoding: 'utf8',
      },
    );
    return output.split('\n').filter(Boolean).map(Number);
  }
}

/** Compiles the `src/balancer` of a checkout to one Lua file, once per content, and says where it is. */
export function compileBalancer(root = ROOT): string {
  const source = join(root, 'src', 'balancer');
  const hash = createHash('sha256');
  for (const name of readdirSync(source).sort()) hash.update(name).update(readFileSync(join(source, name)));
  const target = join(tmpdir(), `upsync-balancer-${hash.digest('hex').slice(0, 16)}`);
  const bundle = join(target, 'balancer.lua');
  if (existsSync(bundle)) return bundle;
  const work = mkdtempSync(join(tmpdir(), 'upsync-tstl-'));
  try {
    const out = join(work, 'out');
    mkdirSync(out);
    const config = {
      extends: join(root, 'tsconfig.lua.json'),
      compilerOptions: {
        rootDir: join(root, 'src'),
        outDir: out,
        types: [],
        rewriteRelativeImportExtensions: true,
      },
      include: [source],
      tstl: {
        luaTarget: 'JIT',
        luaLibImport: 'require-minimal',
        noImplicitSelf: true,
        noHeader: true,
        luaBundle: 'balancer.lua',
        luaBundleEntry: join(source, 'create.ts'),
      },
    };
    writeFileSync(join(work, 'tsconfig.json'), JSON.stringify(config));
    const tstl = join(root, 'node_modules', 'typescript-to-lua', 'dist', 'tstl.js');
    execFileSync(process.execPath, [tstl, '-p', join(work, 'tsconfig.json')], {
      stdio: 'pipe',
      encoding: 'utf8',
    });
    // Another test process may have been first; both wrote the same.
    if (!existsSync(target)) renameSync(out, target);
  } catch (error) {
    const output = (error as { stdout?: string }).stdout;
    throw new Error(`src/balancer does not compile to Lua: ${output ?? String(error)}`, { cause: error });
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return bundle;
}
