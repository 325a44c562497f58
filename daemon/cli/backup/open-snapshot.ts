/** A snapshot of a data set and where its chunks are: for that the key of the set is enough. */
import { BackupError } from "../../backup/client/error.ts";
import type { ChunkLocator } from "../../backup/client/seal/chunk-locator.ts";
import type { RestoreJob } from "../../backup/client/keys/job-keys.ts";
import { headerOf } from "../../backup/client/keys/listed-epochs.ts";
import type { SetStore } from "../../backup/client/port.ts";
import { locate } from "../../backup/client/restore/restore-plan.ts";
import { ShardReader, type ReaderKeys } from "../../backup/client/shard-reader.ts";
import type { ShardHeader } from "../../../protocol/backup/shard.ts";
import type { SnapshotRecord } from "../../../protocol/backup/snapshot.ts";
import { setDetail, setHeads, setStore, type SetDetail } from "./backup-link.ts";
import { neverRan } from "./backup-show.ts";
import { chooseTip, readHeads } from "./choose-tip.ts";
import type { CliContext } from "../shell/context.ts";
import { chooseSnapshot } from "./restore.ts";

/** Which snapshot a person means. */
export interface SnapshotChoice {
  readonly at?: string;
  readonly head?: string;
}

export interface OpenedSnapshot {
  readonly reader: ShardReader;
  readonly source: SetStore;
  readonly detail: SetDetail;
  readonly record: SnapshotRecord;
  readonly locator: ChunkLocator;
  readonly job: RestoreJob;
}

/** The snapshot that is meant; only K_set is needed for that. */
export async function openSnapshot(
  context: CliContext,
  name: string,
  keys: ReaderKeys,
  { at, head }: SnapshotChoice,
): Promise<OpenedSnapshot> {
  const { owner, set } = keys;
  const detail = await setDetail(context.client, set);
  if (detail === undefined || detail.head === null) throw neverRan(name);
  const source = setStore(context.client, set);
  const reader = new ShardReader(source, keys, detail.folder);
  const { heads } = await setHeads(context.client, set);
  const tip = chooseTip(await readHeads(reader, heads), head);
  const { root, record } = await chooseSnapshot(reader, tip, at);
  const locator = await locate(reader, root, record);
  const { number, atMs } = record;
  return {
    reader,
    source,
    detail,
    record,
    locator,
    job: { owner, set, name, snapshot: { root, number, atMs } },
  };
}

/** The header of any shard of an epoch that can be had. */
export async function headerIn(
  { source, detail, locator, job }: OpenedSnapshot,
  epoch: number,
): Promise<ShardHeader> {
  const shards = [...locator.shards].filter((shard) => locator.epochOf(shard) === epoch);
  for (const shard of shards) {
    const header = await headerOf(source, detail.folder, job, shard);
    if (header !== undefined && header.keyEpoch === epoch) return header;
  }
  throw new BackupError("E-BACKUP-STORE", `No shard of key epoch ${epoch} can be had now.`, {
    hint: "See which sites are there:  pleach peers",
  });
}
