import { errorText } from '../../upstream/errors.ts';
import type { Logger } from '../../upstream/logger.ts';
import type { Services } from './services.ts';
import { readWhole, writeWhole } from './whole-file.ts';

/** Changes within this time are one write. Milliseconds. */
const SETTLE_MS = 500;
/** After a failure. Milliseconds. */
const RETRY_MS = 5000;

/** Keeps registered services in a file, so that a restart finds them. */
export class NodesFile {
  readonly #file: string;
  readonly #services: Services;
  readonly #logger: Logger;
  #written = -1;
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();
  #isClosed = false;

  private constructor(file: string, services: Services, logger: Logger) {
    this.#file = file;
    this.#services = services;
    this.#logger = logger;
  }

  /** Reads the file into `services` and follows their changes. @throws {UpsyncError} CONFIG_FILE */
  static async open(file: string, services: Services, logger: Logger): Promise<NodesFile> {
    services.restore(await readWhole(file));
    const nodes = new NodesFile(file, services, logger);
    nodes.#written = services.version;
    nodes.#soon(SETTLE_MS);
    return nodes;
  }

  /** Resolves when the file has everything, or cannot have it. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#writing;
    await this.#write();
  }

  // A look now and then instead of a call at each change: a storm of registrations costs a few writes.
  #soon(ms: number): void {
    this.#timer = setTimeout(() => {
      this.#writing = this.#write().then((isWritten) => {
        if (!this.#isClosed) this.#soon(isWritten ? SETTLE_MS : RETRY_MS);
      });
    }, ms);
    this.#timer.unref();
  }

  async #write(): Promise<boolean> {
    const { version } = this.#services;
    if (version === this.#written) return true;
    try {
      await writeWhole(this.#file, this.#services.toJSON());
      this.#written = version;
      return true;
    } catch (error) {
      this.#logger.error({ reason: errorText(error) }, 'config_nodes_not_written');
      return false;
    }
  }
}
