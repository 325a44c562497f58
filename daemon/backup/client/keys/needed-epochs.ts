/** Which key epochs a restore needs: those of the shards that its directories and files lie in. */
import { CHUNK_ID_BYTES } from "../../../../protocol/backup/chunk.ts";
import { chunkIdKey } from "../../../../protocol/backup/set-keys.ts";
import type { SnapshotRecord } from "../../../../protocol/backup/snapshot.ts";
import type { ChunkLocator } from "../seal/chunk-locator.ts";
import { BackupError } from "../error.ts";
import { RestoreSelection, type Wanted } from "../restore/restore-selection.ts";
import type { ShardReader } from "../shard-reader.ts";
import { TreeReader } from "../restore/tree-reader.ts";

/**
 * By a walk of the directories, whose keys have to be there.
 *
 * @param only - As in a restore: only these paths, absolute. None: everything.
 * @throws BackupError E-BACKUP-EPOCH when the key of a directory is not here.
 */
export async function neededEpochs(
  reader: ShardReader,
  record: SnapshotRecord,
  locator: ChunkLocator,
  only: readonly Uint8Array[],
): Promise<ReadonlySet<number>> {
  const selection = new RestoreSelection(only);
  const trees = new TreeReader(reader, locator, chunkIdKey(reader.keys.setKey, "tree"));
  const epochs = new Set<number>();
  const note = (ids: Uint8Array): void => {
    for (let at = 0; at < ids.length; at += CHUNK_ID_BYTES) {
      for (const { shard } of locator.find(ids.subarray(at, at + CHUNK_ID_BYTES))) {
        epochs.add(locator.epochOf(shard));
      }
    }
  };
  const visit = async (ids: Uint8Array, wanted: Wanted): Promise<void> => {
    note(ids);
    for await (const entries of trees.directory(ids)) {
      for (const entry of entries) {
        const below = selection.of(wanted, entry.name, entry.kind === "directory");
        if (below === false) continue;
        if (entry.kind === "directory") await visit(entry.chunks, below);
        else if (entry.kind === "file") note(entry.chunks);
      }
    }
  };
  await visit(record.tree, selection.root);
  return epochs;
}

export interface MissingEpochs {
  /** Ascending; empty when the restore can begin. */
  readonly epochs: readonly number[];
  /** False: directories are closed, too, so these are all of which the snapshot has something. */
  readonly isExact: boolean;
}

/** The key epochs that a restore needs and whose keys are not here. */
export async function missingEpochs(
  reader: ShardReader,
  record: SnapshotRecord,
  locator: ChunkLocator,
  only: readonly Uint8Array[],
): Promise<MissingEpochs> {
  const { epochs, box } = reader.keys;
  const absent = [...locator.epochs].filter((epoch) => !epochs.has(epoch));
  // The phrase opens the capsule of each shard on the way.
  if (box !== undefined || absent.length === 0) return { epochs: [], isExact: true };
  try {
    const needed = await neededEpochs(reader, record, locator, only);
    return { epochs: ascending(absent.filter((epoch) => needed.has(epoch))), isExact: true };
  } catch (error) {
    if (!(error instanceof BackupError && error.code === "E-BACKUP-EPOCH")) throw error;
    return { epochs: ascending(absent), isExact: false };
  }
}

function ascending(numbers: readonly number[]): number[] {
  return numbers.toSorted((a, b) => a - b);
}
