/** A server as it should be: how to open it, and what makes it another one. */
export interface Wanted<S> {
  /** Equal for servers that are alike. */
  readonly key: string;
  /** Two servers cannot have the same one at the same time; 0 is a free one. */
  readonly port: number;
  /** It owns files: another one must not read them before it has written them. */
  readonly isExclusive?: boolean;
  open(): Promise<S>;
}

/** The place of one server that can be exchanged for another one. */
export class Slot<S extends { close(): Promise<void> }> {
  #wanted: Wanted<S> | undefined;
  #server: S | undefined;

  get server(): S | undefined {
    return this.#server;
  }

  /**
   * Puts another server here (or none). One that is alike is left alone; one on another port is opened before the old closes.
   * @throws what opening throws; the old server then is there, opened again where it had to make room.
   */
  async become(next: Wanted<S> | undefined): Promise<void> {
    const before = this.#wanted;
    const old = this.#server;
    if (before?.key === next?.key) return;
    const isFree = next?.isExclusive !== true && (before?.port !== next?.port || next?.port === 0);
    if (old === undefined || next === undefined || before === undefined || isFree) {
      const opened = await next?.open();
      this.#wanted = next;
      this.#server = opened;
      await old?.close();
      return;
    }
    await old.close();
    this.#server = undefined;
    this.#wanted = undefined;
    try {
      this.#server = await next.open();
      this.#wanted = next;
    } catch (error) {
      this.#server = await before.open();
      this.#wanted = before;
      throw error;
    }
  }
}
