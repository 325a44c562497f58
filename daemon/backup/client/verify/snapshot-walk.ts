/** What of a snapshot lies in which shards: all that it needs, or the files that lack something. */
import { CHUNK_ID_BYTES } from "../../../../protocol/backup/chunk.ts";
import { PleachError } from "../../../../protocol/error.ts";
import type { ShardId } from "../../../../protocol/ids.ts";
import { chunkIdKey } from "../../../../protocol/backup/set-keys.ts";
import type { TreeEntry } from "../../../../protocol/backup/tree.ts";
import type { ChunkLocator } from "../seal/chunk-locator.ts";
import type { ShardReader } from "../shard-reader.ts";
import { TreeReader } from "../restore/tree-reader.ts";
import { shown } from "../read/walk-paths.ts";

export interface Affected {
  /** For people: bytes that are not UTF-8 are replaced. */
  readonly path: string;
  /** A file of which a shard is lost, or a directory of which nobody knows what it holds. */
  readonly kind: "file" | "directory";
}

export class SnapshotWalk {
  readonly #locator: ChunkLocator;
  readonly #trees: TreeReader;
  /** Shards of which there is no good copy. */
  readonly #lost: ReadonlySet<ShardId>;
  readonly affected: Affected[] = [];
  /** All shards that content lies in, as far as the directories could be read. */
  readonly needed = new Set<ShardId>();
  files = 0;
  /** A directory that is sealed with a key that is not here. */
  isClosed = false;

  constructor(reader: ShardReader, locator: ChunkLocator, lost: ReadonlySet<ShardId>) {
    this.#locator = locator;
    this.#trees = new TreeReader(reader, locator, chunkIdKey(reader.keys.setKey, "tree"));
    this.#lost = lost;
  }

  /** @param ids - Of the tree of `/`. */
  async run(ids: Uint8Array): Promise<void> {
    await this.#directory("", ids);
  }

  async #directory(path: string, ids: Uint8Array): Promise<void> {
    this.#note(ids);
    try {
      for await (const entries of this.#trees.directory(ids)) {
        for (const entry of entries) await this.#entry(path, entry);
      }
    } catch (error) {
      if (!(error instanceof PleachError)) throw error;
      if (error.code === "E-BACKUP-EPOCH") this.isClosed = true;
      else this.affected.push({ path: shown(path), kind: "directory" });
    }
  }

  async #entry(parent: string, entry: TreeEntry): Promise<void> {
    const path = `${parent}/${Buffer.from(entry.name).toString("latin1")}`;
    if (entry.kind === "directory") return this.#directory(path, entry.chunks);
    if (entry.kind !== "file") return;
    this.files += 1;
    if (!this.#note(entry.chunks)) this.affected.push({ path: shown(path), kind: "file" });
  }

  /** Whether all of these chunks are in shards that are not lost. */
  #note(ids: Uint8Array): boolean {
    let isWhole = true;
    for (let at = 0; at < ids.length; at += CHUNK_ID_BYTES) {
      try {
        for (const { shard } of this.#locator.find(ids.subarray(at, at + CHUNK_ID_BYTES))) {
          this.needed.add(shard);
          if (this.#lost.has(shard)) isWhole = false;
        }
      } catch (error) {
        if (!(error instanceof PleachError)) throw error;
        isWhole = false;
      }
    }
    return isWhole;
  }
}
