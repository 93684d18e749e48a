import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import path from 'node:path';
import { errorText, UpsyncError } from '../../upstream/errors.ts';
import { buildMirror, mirrorPath } from './mirror.ts';
import type { Translation } from './translation.ts';

const GENERATION = /^conf\.(\d{1,9})$/;

/** One translated configuration on disk, not in force until `activate`. */
export interface Generation {
  /** What to give to `nginx -t -c` before it is activated. */
  readonly candidate: string;
  /** Makes `mainFile` of the runtime directory lead here, in one step, and removes the generations before. */
  activate(): void;
  /** Removes it again. */
  discard(): void;
}

/**
 * The private folder in which a running nginx finds its translated configuration.
 *
 * nginx takes relative file names of a configuration from the folder of its main file, so the translated one stands in a
 * mirror of the user's folders in which everything that did not change is a symbolic link. `conf` leads to the mirror in
 * force; it is switched in one step, so nginx may be told to reload at any time.
 */
export class RuntimeDirectory {
  readonly root: string;
  /** A folder only the owner may enter: for the control socket and whatever holds a token. */
  readonly privateFolder: string;
  #names: readonly (readonly [string, string])[] = [];

  /**
   * @param root absolute path; made if it does not exist.
   * @throws {UpsyncError} RUNTIME_DIRECTORY when it cannot be made, or belongs to someone else or is open to others.
   */
  constructor(root: string) {
    this.root = root;
    this.privateFolder = path.join(root, 'private');
    // Others may pass through, not look: workers run as another user and open files by their paths.
    ownFolder(root, 0o711);
    ownFolder(this.privateFolder, 0o700);
  }

  /** The main file for nginx's `-c`; stays the same over all generations. */
  mainFile(main: string): string {
    return mirrorPath(path.join(this.root, 'conf'), main);
  }

  /**
   * Writes a translation beside the one in force.
   * @throws {UpsyncError} RUNTIME_DIRECTORY when it cannot be written; nothing is left behind.
   */
  write(translation: Translation): Generation {
    const next = `conf.${Math.max(0, ...this.#numbers()) + 1}`;
    const folder = path.join(this.root, next);
    try {
      this.#names = buildMirror(folder, translation);
    } catch (error) {
      rmSync(folder, { recursive: true, force: true });
      throw failed(this.root, error);
    }
    return {
      candidate: mirrorPath(folder, translation.main),
      activate: () => {
        const before = this.#current();
        const link = path.join(this.root, 'conf');
        const fresh = `${link}.new`;
        rmSync(fresh, { force: true });
        symlinkSync(next, fresh);
        renameSync(fresh, link);
        if (before !== undefined && before !== next)
          rmSync(path.join(this.root, before), { recursive: true, force: true });
      },
      discard: () => rmSync(folder, { recursive: true, force: true }),
    };
  }

  /** A text of nginx's with the paths of the mirror turned into the user's own, so that `file:line` can be opened. */
  mapBack(text: string): string {
    const mirror = new RegExp(
      `${escapeRegExp(path.join(this.root, 'conf'))}(?:\\.\\d+)?(/[^\\s":,;()]*)`,
      'g',
    );
    // A redirected include leaves dots in the path that nginx names.
    const plain = text.replace(mirror, (_all, users: string) => path.normalize(users));
    return this.#names.reduce(
      (mapped, [real, users]) =>
        mapped.replace(new RegExp(`(?<![\\w./-])${escapeRegExp(real)}(?![\\w/-])`, 'g'), () => users),
      plain,
    );
  }

  /** Removes the configurations; files that others put into the folder stay. */
  remove(): void {
    rmSync(path.join(this.root, 'conf'), { force: true });
    for (const number of this.#numbers())
      rmSync(path.join(this.root, `conf.${number}`), { recursive: true, force: true });
  }

  #current(): string | undefined {
    try {
      return GENERATION.exec(readlinkSync(path.join(this.root, 'conf')))?.[0];
    } catch {
      // Nothing was activated yet.
      return undefined;
    }
  }

  #numbers(): number[] {
    return readdirSync(this.root).flatMap((name) => {
      const number = GENERATION.exec(name)?.[1];
      return number === undefined ? [] : [Number(number)];
    });
  }
}

function ownFolder(folder: string, mode: number): void {
  try {
    mkdirSync(folder, { recursive: true, mode });
    const found = lstatSync(folder);
    if (!found.isDirectory()) throw new Error('it is no folder');
    if (process.getuid && found.uid !== process.getuid()) throw new Error('it belongs to another user');
    if ((found.mode & 0o022) !== 0) throw new Error('others may write to it');
    chmodSync(folder, mode);
  } catch (error) {
    throw failed(folder, error);
  }
}

function failed(folder: string, error: unknown): UpsyncError {
  const message = `cannot use the runtime directory ${folder}: ${errorText(error)}`;
  return new UpsyncError('RUNTIME_DIRECTORY', message, { cause: error });
}

function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
