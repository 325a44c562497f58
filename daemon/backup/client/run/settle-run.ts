/**
 * Settles which of several newest snapshots of a data set counts, because a person has said so.
 *
 * One more snapshot is stored: what the chosen one has, with a history that names the lines of all
 * others as well. So every reader sees one newest snapshot from then on, whatever any member still
 * tells, and the snapshots of the other lines are forgotten by the rules that hold for all.
 */
import { joinLines, lineOf, type SnapshotLine } from "../../../core/backup/snapshot-line.ts";
import { PleachError } from "../../../../protocol/error.ts";
import { placeAfter, type Head } from "../../../../protocol/backup/head.ts";
import { BackupError } from "../error.ts";
import type { SetState, SetStore } from "../port.ts";
import { SeenChunks } from "../seal/seen-chunks.ts";
import type { SetKeyFile } from "../keys/set-key-file.ts";
import { newChain } from "./own-line.ts";
import { withSetLock } from "./set-lock.ts";
import { ShardReader } from "../shard-reader.ts";
import { WorkerPool } from "../seal/worker-pool.ts";

export interface SettleRequest {
  readonly keys: SetKeyFile;
  readonly store: SetStore;
  /** Folder of root's for caches. */
  readonly cacheFolder: string;
  /** Remote sites wanted, as they are now. */
  readonly copies: number;
  /** Picks one of those that stand; nothing happens when it rejects. */
  readonly choose: (tips: readonly Head[]) => Promise<Head>;
}

export interface Settled {
  readonly head: Head;
  readonly chosen: Head;
  readonly others: readonly Head[];
  /** Of these, those whose snapshot nobody could give: their shards stay listed. */
  readonly unread: readonly Head[];
}

/** @throws BackupError when nothing is to be settled, a run is under way, or the chosen one is lost. */
export async function runSettle(request: SettleRequest): Promise<Settled> {
  const { keys, cacheFolder } = request;
  const outcome = await withSetLock(cacheFolder, keys.set, () => settle(request));
  if (outcome !== "busy") return outcome;
  throw new BackupError("E-BACKUP-BUSY", `A run of "${keys.name}" is under way.`, {
    hint: "Wait for it to end.",
  });
}

async function settle({ keys, store, copies, choose }: SettleRequest): Promise<Settled> {
  const standing = tipsOf(keys.name, await store.state());
  const chosen = await choose(standing);
  const others = standing.filter(({ root }) => root !== chosen.root);
  const epoch = keys.epochs.at(-1);
  if (epoch === undefined) {
    throw new BackupError("E-BACKUP-EPOCH", `"${keys.name}" has no key to seal with.`, {
      hint: `Begin a new key epoch:  pleach keys rotate ${keys.name}`,
    });
  }
  const byNumber = new Map(keys.epochs.map(({ epoch: number, key }) => [number, key]));
  const { owner, set, setKey, sealedName } = keys;
  const reader = new ShardReader(store, { owner, set, setKey, epochs: byNumber });
  const record = await reader.snapshot(chosen.root);
  const lines: SnapshotLine[] = [lineOf(chosen.root, record)];
  const unread: Head[] = [];
  for (const other of others) {
    try {
      lines.push(lineOf(other.root, await reader.snapshot(other.root)));
    } catch (error) {
      if (!(error instanceof PleachError)) throw error;
      unread.push(other);
      const { chain, number, root, atMs } = other;
      lines.push([{ chain, number, root, atMs, files: 0, bytes: 0 }]);
    }
  }
  const next = placeAfter(chosen) ?? newChain();
  const { key: epochKey, capsule } = epoch;
  const subject = { owner, set, setKey, keyEpoch: epoch.epoch, epochKey, capsule };
  const pool = new WorkerPool({ subject, cut: "content" }, [SeenChunks.newLevel(0)], 1, {
    put: (shard, bytes, onSent) => store.put(shard, bytes, onSent),
    onStored: () => {},
  });
  try {
    const { root } = await pool.finish([], {
      ...record,
      ...next,
      index: record.index.map(({ shard = chosen.root, frame }) => ({ shard, frame })),
      history: joinLines(lines),
    });
    // The files are as old as they were: only the history is new.
    const head: Head = { ...next, root, atMs: record.atMs };
    await store.commit({
      ...{ owner, sealedName, keyEpoch: epoch.epoch, copies, head },
      settled: standing.map(({ root: each }) => each),
      add: pool.tables.flatMap(({ shard, sizeBytes }) =>
        shard === undefined ? [] : [[shard, sizeBytes] as const],
      ),
    });
    return { head, chosen, others, unread };
  } finally {
    await pool.close();
  }
}

function tipsOf(name: string, state: SetState | undefined): readonly Head[] {
  if (state !== undefined && state.setBackTo !== null) {
    throw new BackupError("E-BACKUP-TIPS", `The box was set back; "${name}" has not run since.`, {
      hint: `Its next snapshot shows what the other one is to be weighed against:\npleach backup run ${name}`,
    });
  }
  const standing = state === undefined || state.head === null ? [] : [state.head, ...state.tips];
  if (standing.length > 1) return standing;
  throw new BackupError("E-BACKUP-TIPS", `"${name}" has one newest snapshot: nothing to settle.`, {
    hint: `See:  pleach backup show ${name}`,
  });
}
