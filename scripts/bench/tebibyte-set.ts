/** The lists of a data set of so many full shards, named by chance from one seed. */
import { loadList, type LoadedList } from "../../daemon/backup/store/lists/list-store.ts";
import { idOf, sha256, type MeshId, type OwnerId, type SetId } from "../../protocol/ids.ts";
import type { ShardId } from "../../protocol/ids.ts";
import { groupOf, signList, type ListEntry } from "../../protocol/backup/list.ts";
import { SHARD_BYTES } from "../../protocol/backup/shard-id.ts";
import { signingKey } from "../../protocol/keys/signature.ts";

export const KEY = signingKey(sha256("site"));
export const OWNER = idOf<OwnerId>(sha256("owner"));
export const SET = idOf<SetId>(sha256("set").subarray(0, 16));
export const MESH = idOf<MeshId>(sha256("mesh"));

/** Names of full shards. @param from - Number of the first; another one gives others. */
export function shardNames(from: number, count: number): ListEntry[] {
  return Array.from({ length: count }, (_none, at) => ({
    shard: idOf<ShardId>(sha256(`shard ${from + at}`)),
    sizeBytes: SHARD_BYTES,
  }));
}

/** Signed lists of these shards. @param before - The lists that they follow. */
export function listsOf(
  entries: readonly ListEntry[],
  groups: number,
  before: readonly LoadedList[] = [],
): LoadedList[] {
  const parts: ListEntry[][] = Array.from({ length: groups }, () => []);
  for (const entry of entries) parts[groupOf(entry.shard, groups)]?.push(entry);
  return parts.map((part, group) => {
    const last = before[group];
    const fields = {
      ...{ mesh: MESH, owner: OWNER, set: SET, group, groups, copies: 3, keyEpoch: 1, head: null },
      ...{ sealedName: new Uint8Array(64), previous: last?.id ?? null },
      generation: (last?.header.generation ?? 0) + 1,
    };
    return loadList(signList(KEY, fields, part));
  });
}
