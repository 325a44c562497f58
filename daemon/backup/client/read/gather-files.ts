/** The snapshot of paths: walks them, and keeps what it saw for the next run. */
import { join } from "node:path";
import type { ShardId } from "../../../../protocol/ids.ts";
import { chunkIdKey } from "../../../../protocol/backup/set-keys.ts";
import { FileQueue } from "./file-queue.ts";
import type { PathPlan } from "./path-plan.ts";
import type { TreeOutlet } from "../seal/tree-outlet.ts";
import { Walk, type WalkFigures } from "./walk.ts";
import { WalkCache, WalkCacheWriter } from "./walk-cache.ts";
import type { WorkerPool } from "../seal/worker-pool.ts";

export interface FilesParts {
  readonly plan: PathPlan;
  readonly pool: WorkerPool;
  readonly trees: TreeOutlet;
  /** K_set. */
  readonly setKey: Uint8Array;
  /** Of the caches of this set. */
  readonly folder: string;
  /** Root of the newest snapshot; undefined before the first. */
  readonly base: ShardId | undefined;
  /** Whether a path (its bytes as characters) is left out. */
  readonly excluded: (path: string) => boolean;
  readonly oneFileSystem: boolean;
  /** Grow while it runs. */
  readonly figures: WalkFigures;
}

export interface Gathered {
  /** Chunk ids of the tree of `/`. */
  readonly tree: Uint8Array;
  /** What was seen becomes what the next run compares with. Says why not, such as a full disk. */
  readonly publish: (root: ShardId) => string | undefined;
  /** The run came to nothing. */
  readonly abandon: () => void;
}

export async function gatherFiles(parts: FilesParts): Promise<Gathered> {
  const { pool, trees, setKey, folder, base, excluded, oneFileSystem, figures } = parts;
  const cacheWriter = new WalkCacheWriter(join(folder, "walk"));
  const cache = base === undefined ? undefined : WalkCache.open(join(folder, "walk"), base);
  try {
    const walk = new Walk({
      queue: new FileQueue(pool),
      known: (id) => pool.seen.has(id),
      onTree: (chunk) => trees.add(chunk),
      treeKey: chunkIdKey(setKey, "tree"),
      cache,
      cacheWriter,
      excluded,
      oneFileSystem,
      figures,
    });
    const tree = await walk.run(parts.plan);
    return {
      tree,
      publish: (root) => {
        cacheWriter.publish(root);
        return cacheWriter.trouble;
      },
      abandon: () => cacheWriter.abandon(),
    };
  } catch (error) {
    cacheWriter.abandon();
    throw error;
  } finally {
    cache?.close();
  }
}
