import { badRequest } from './services.ts';
import { readWhole, writeWhole } from './whole-file.ts';

const MAX_GROUPS = 10_000;
const MAX_KEYS = 10_000;
const MAX_KEY = 1024;
const MAX_VALUE = 512 * 1024;

/** Static key/value groups: in memory, and in a file when there is one. */
export class StaticGroups {
  readonly #file: string | undefined;
  #groups = new Map<string, Map<string, string>>();
  #writing: Promise<void> = Promise.resolve();

  private constructor(file: string | undefined) {
    this.#file = file;
  }

  /** Opens the groups of a file; one that is not there yet is an empty one. @throws {UpsyncError} CONFIG_FILE */
  static async open(file?: string): Promise<StaticGroups> {
    const groups = new StaticGroups(file);
    if (file !== undefined) groups.#groups = await readGroups(file);
    return groups;
  }

  names(): readonly string[] {
    return [...this.#groups.keys()].sort();
  }

  get(group: string): ReadonlyMap<string, string> {
    return this.#groups.get(group) ?? new Map<string, string>();
  }

  /** Resolves when the file has it. @throws {UpsyncError} BAD_REQUEST, CONFIG_FILE; nothing has changed then. */
  async set(group: string, key: string, value: string): Promise<void> {
    if (
      group === '' ||
      key === '' ||
      group.length > MAX_KEY ||
      key.length > MAX_KEY ||
      value.length > MAX_VALUE
    )
      throw badRequest('group or key is missing, or a part is too long');
    await this.#change((groups) => {
      const keys = new Map(groups.get(group));
      keys.set(key, value);
      groups.set(group, keys);
      if (groups.size > MAX_GROUPS || keys.size > MAX_KEYS) throw badRequest('there is no room for more');
    });
  }

  /** @throws {UpsyncError} CONFIG_FILE; nothing has changed then. */
  async delete(group: string, key: string): Promise<void> {
    await this.#change((groups) => {
      const keys = new Map(groups.get(group));
      keys.delete(key);
      if (keys.size === 0) groups.delete(group);
      else groups.set(group, keys);
    });
  }

  // One after the other; what readers see changes only when the file has it.
  #change(apply: (groups: Map<string, Map<string, string>>) => void): Promise<void> {
    const done = this.#writing.then(async () => {
      const groups = new Map(this.#groups);
      apply(groups);
      if (this.#file !== undefined) await writeGroups(this.#file, groups);
      this.#groups = groups;
    });
    this.#writing = done.catch(() => undefined);
    return done;
  }
}

async function readGroups(file: string): Promise<Map<string, Map<string, string>>> {
  const data = (await readWhole(file)) ?? {};
  return new Map(
    Object.entries(data as Record<string, Record<string, unknown>>).map(([group, keys]) => [
      group,
      new Map(Object.entries(keys).map(([key, value]) => [key, String(value)])),
    ]),
  );
}

async function writeGroups(
  file: string,
  groups: ReadonlyMap<string, ReadonlyMap<string, string>>,
): Promise<void> {
  await writeWhole(
    file,
    Object.fromEntries([...groups].map(([group, keys]) => [group, Object.fromEntries(keys)])),
  );
}
