import { closeSync, openSync, writeSync } from 'node:fs';

/** A log file that stays open and can be opened again, after it was moved away by whoever rotates logs. */
export class LogFile {
  readonly #path: string;
  #descriptor: number | undefined;

  constructor(path: string) {
    this.#path = path;
    this.reopen();
  }

  /** For a process that writes to the file as well; undefined when it cannot be opened. */
  get descriptor(): number | undefined {
    return this.#descriptor;
  }

  write(line: string): void {
    if (this.#descriptor === undefined) return;
    try {
      writeSync(this.#descriptor, line);
    } catch {
      // A full disk: there is nowhere to say so, and nginx serves on.
    }
  }

  reopen(): void {
    let next: number;
    try {
      next = openSync(this.#path, 'a', 0o644);
    } catch {
      return; // The old one is better than none.
    }
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = next;
  }
}
