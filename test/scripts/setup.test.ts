import { spawnSync } from 'node:child_process';
import { chmodSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { scratchFolder } from '../helpers/scratch-folder.ts';

const SETUP = path.resolve(import.meta.dirname, '../../scripts/setup.sh');
const NEED = 'need_packages "the tour" nginx=nginx nginx-lua=libnginx-mod-http-lua';

// The machine is played by shell functions: what is there, who one is, and what apt-get does.
function play(machine: string, command: string): { status: number | null; text: string } {
  const script = `. "${SETUP}"\n${machine}\n${command}\n`;
  const { status, stdout, stderr } = spawnSync('sh', ['-c', script], { encoding: 'utf8' });
  return { status, text: stdout + stderr };
}
const NOTHING = 'have() { false; }';
const ROOT = 'id() { echo 0; }';
const USER = 'id() { echo 1000; }';

describe('setup.sh', () => {
  it('says nothing when everything is there', () => {
    expect(play('have() { true; }', NEED)).toEqual({ status: 0, text: '' });
  });

  it('prints the exact command for an administrator when it may not install', () => {
    const { status, text } = play(`${NOTHING}\n${USER}\napt_install() { echo must not run; }`, NEED);
    expect(status).toBe(1);
    expect(text).toContain('sudo apt-get update && sudo apt-get install -y nginx libnginx-mod-http-lua');
    expect(text).not.toContain('must not run');
  });

  it('names only what is missing', () => {
    const { text } = play(`have() { [ "$1" = nginx ]; }\n${USER}`, NEED);
    expect(text).toContain('apt-get install -y libnginx-mod-http-lua\n');
  });

  it('installs as root, and says what', () => {
    const { status, text } = play(`${NOTHING}\n${ROOT}\napt_install() { echo "apt installs $*"; }`, NEED);
    expect(status).toBe(0);
    expect(text).toContain('apt installs nginx libnginx-mod-http-lua');
  });

  it('says so when the installation fails', () => {
    const { status, text } = play(`${NOTHING}\n${ROOT}\napt_install() { return 100; }`, NEED);
    expect([status, text.includes('apt-get could not install nginx')]).toEqual([1, true]);
  });

  it('does not guess on a system without apt-get', () => {
    const { status, text } = play(`${NOTHING}\ncommand() { false; }`, NEED);
    expect(status).toBe(1);
    expect(text).toContain('neither Debian nor Ubuntu');
  });

  it('brings the program the tour tells to paste: a small machine has no curl', () => {
    const start = readFileSync(path.resolve(import.meta.dirname, '../../scripts/start.sh'), 'utf8');
    const need = /^need_packages .*?(?= \|\|)/m.exec(start)?.[0] ?? '';
    const { text } = play(`${NOTHING}\n${ROOT}\napt_install() { echo "apt installs $*"; }`, need);
    expect(text).toContain('apt installs nginx libnginx-mod-http-lua curl\n');
  });

  it.each([
    ['installs', 'cat "$POLICY"', 0],
    ['is interrupted', 'kill -INT $PPID', 130],
  ])('forbids services to start meanwhile, and leaves no trace when it %s', (_how, work, code) => {
    const folder = scratchFolder({ 'apt-get': `#!/bin/sh\n[ "$1" = update ] || ${work}\n` });
    chmodSync(path.join(folder, 'apt-get'), 0o755);
    const policy = path.join(folder, 'policy-rc.d');
    const { status, text } = play(
      `${NOTHING}\n${ROOT}\nexport POLICY=${policy} PATH=${folder}:$PATH TMPDIR=${folder}\nrm() { shift; cat "$@"; command rm -f "$@"; }`,
      `${NEED} || echo "going on without"\necho "the next step"`,
    );
    expect(readdirSync(folder)).toEqual(['apt-get']);
    expect(status).toBe(code);
    expect(text).toContain('exit 101');
    // Ctrl-C is for everything that was started, not for apt-get alone.
    expect(text.includes('the next step')).toBe(code === 0);
  });

  it('refuses a Node that is too old', () => {
    const { status, text } = play('node() { [ "$1" = --version ] && echo v18.0.0; return 1; }', 'need_node');
    expect(status).toBe(1);
    expect(text).toContain('Node v18.0.0 is too old: 20.19 or newer is needed');
  });
});
