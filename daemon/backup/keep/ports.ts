/** What the keeper needs of the shard store and of the list store. */
import type { Taken } from "../../core/departures.ts";
import type { OwnerId, SetId, ShardId } from "../../../protocol/ids.ts";
import type { ListEntry, ListHeader } from "../../../protocol/list.ts";
import type { PastList } from "./past-lists.ts";

export interface SetName {
  readonly owner: OwnerId;
  readonly set: SetId;
}

export interface KeptShards {
  /** Data sets of which there are shards here. */
  sets(): AsyncIterable<SetName>;
  /** Every shard of a set that is here. @throws when a directory cannot be read. */
  shardsOf(owner: OwnerId, set: SetId): AsyncIterable<ShardId>;
  sizeOf(name: SetName & { readonly shard: ShardId }): Promise<number | undefined>;
  /** @returns the bytes that this gave back. */
  remove(name: SetName & { readonly shard: ShardId }): Promise<number>;
}

export interface KeptLists {
  all(owner?: OwnerId, set?: SetId): readonly { readonly header: ListHeader }[];
  /** Undefined when the newest list is damaged. */
  load(
    owner: OwnerId,
    set: SetId,
    group: number,
  ): Promise<{ readonly header: ListHeader; readonly entries: readonly ListEntry[] } | undefined>;
  taken(owner: OwnerId, set: SetId, group: number): Taken | undefined;
  past(owner: OwnerId, set: SetId, group: number): Promise<readonly PastList[]>;
  forget(owner: OwnerId, set: SetId, group: number, past: readonly PastList[]): Promise<void>;
}

/** Runs work on one data set while no other work on it runs. */
export interface SetGate {
  run<Value>(of: SetName, work: () => Promise<Value>): Promise<Value>;
}
