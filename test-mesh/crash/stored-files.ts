/** The shard files of sites, read and verified; one that has not changed since is believed. */
import { lstatSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { shardIdOf } from "../../protocol/backup/shard-id.ts";
import type { OwnerId, SetId, ShardId } from "../../protocol/ids.ts";
import type { TestSite } from "../test-site.ts";

export class StoredFiles {
  readonly #owner: OwnerId;
  readonly #set: SetId;
  readonly #verified = new Map<string, string>();

  constructor(owner: OwnerId, set: SetId) {
    this.#owner = owner;
    this.#set = set;
  }

  /** The power was cut: nothing that was seen before says what is there now. */
  forget(site: TestSite): void {
    for (const path of this.#verified.keys()) {
      if (path.startsWith(`${site.directory}/`)) this.#verified.delete(path);
    }
  }

  names(site: TestSite): Set<string> {
    const folder = this.#folder(site);
    const names = new Set<string>();
    for (const prefix of namesIn(folder)) {
      for (const name of namesIn(join(folder, prefix))) names.add(name);
    }
    return names;
  }

  /** Whether the file is there and is that shard. */
  isWhole(site: TestSite, shard: string): boolean {
    const path = join(this.#folder(site), shard.slice(0, 2), shard);
    try {
      const { ino, mtimeMs, size } = lstatSync(path);
      const facts = `${ino} ${mtimeMs} ${size}`;
      if (this.#verified.get(path) === facts) return true;
      const id: ShardId = shardIdOf(this.#owner, this.#set, readFileSync(path));
      if (id !== shard) return false;
      this.#verified.set(path, facts);
      return true;
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "ENOENT") return false;
      throw error;
    }
  }

  #folder(site: TestSite): string {
    return join(site.dataDirectory, "shards", "shards", this.#owner, this.#set);
  }
}

/** Empty when there is no such folder. */
export function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
    throw error;
  }
}
