import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Server } from '../../upstream/server.ts';
import { SHOW_ALL_FILE, SHOW_UNKNOWN_FILE, showFileName } from '../nginx/file-names.ts';
import { formatAllUpstreams, formatUpstream, shown, type ShownUpstream, UNKNOWN_UPSTREAM } from '../show.ts';
import { replaceText } from './replace-text.ts';

/** The texts that answer `upstream_show` when nginx has no Lua module, kept in step with the lists nginx has loaded. */
export class ShowFiles {
  readonly #folder: string;
  readonly #upstreams: () => readonly ShownUpstream[];
  /** Lists that took the place of those of the start. */
  readonly #newer = new Map<string, ShownUpstream>();

  /**
   * @param upstreams every upstream of the http block, in the order of the configuration, as shown at the start; a function
   *   where the configuration may change meanwhile.
   */
  constructor(folder: string, upstreams: readonly ShownUpstream[] | (() => readonly ShownUpstream[])) {
    this.#folder = folder;
    this.#upstreams = typeof upstreams === 'function' ? upstreams : () => upstreams;
  }

  /** Writes all texts. To be called before nginx starts. */
  async writeAll(): Promise<void> {
    for (const upstream of this.#upstreams()) await this.#writeOne(upstream);
    await this.#write(SHOW_UNKNOWN_FILE, UNKNOWN_UPSTREAM);
    await this.#writeEach();
  }

  /** Shows other lists from now on. */
  async update(
    lists: readonly { readonly upstream: string; readonly servers: readonly Server[] }[],
  ): Promise<void> {
    for (const { upstream, servers } of lists) {
      const now = shown(upstream, servers);
      this.#newer.set(upstream, now);
      await this.#writeOne(now);
    }
    if (lists.length > 0) await this.#writeEach();
  }

  async #writeOne(upstream: ShownUpstream): Promise<void> {
    await this.#write(showFileName(upstream.name), formatUpstream(upstream));
  }

  async #writeEach(): Promise<void> {
    const all = this.#upstreams().map((upstream) => this.#newer.get(upstream.name) ?? upstream);
    await this.#write(SHOW_ALL_FILE, formatAllUpstreams(all));
  }

  async #write(name: string, text: string): Promise<void> {
    const file = join(this.#folder, name);
    await mkdir(dirname(file), { recursive: true, mode: 0o755 });
    await replaceText(file, text);
  }
}
