/** What the keeper needs of the shard store and of the list store. */
import type { Taken } from "../../core/authority/departures.ts";
import type { StoreChange } from "../../core/store.ts";
import type { OwnerId, SetId, ShardId, StatementId } from "../../../protocol/ids.ts";
import type { ListEntry, ListHeader } from "../../../protocol/backup/list.ts";
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
  /** Forgets all lists of a group, together with other changes. */
  letGo(
    owner: OwnerId,
    set: SetId,
    group: number,
    alongside: readonly StoreChange[],
  ): Promise<void>;
}

/** The lock of a set here. */
export interface ToldLock {
  /** That counts, in days. */
  readonly days: number;
  readonly pending: {
    readonly days: number;
    /** The DELEGATE that wants it. */
    readonly statement: StatementId;
    /** Days of running time until it counts, rounded up. */
    readonly leftDays: number;
  } | null;
}

/** What the mesh says about the groups that are kept here, and is told of them. */
export interface KeptWords {
  /** Whether others hold the group in full in place of this site; see core/release.ts. */
  mayLetGo(header: ListHeader): boolean;
  /** Says that what this site has signed for of the group counts no more. Durable. */
  letGo(header: ListHeader): Promise<void>;
  /** Tells the owner that a person here is asked; null: not any more. */
  tellAsked(
    of: SetName,
    asked: { readonly fromBytes: number; readonly toBytes: number } | null,
  ): Promise<void>;
  /** Whether somebody who may has signed against a DELEGATE with a shorter lock. */
  isObjected(to: { readonly owner: OwnerId; readonly statement: StatementId }): boolean;
  /** Whether the shorter lock of a DELEGATE is pending at any member, or was objected to. */
  isOpen(to: { readonly owner: OwnerId; readonly statement: StatementId }): boolean;
  /** Tells all members of the lock of a set here; null: nothing of it is kept any more. */
  tellLock(of: SetName, lock: ToldLock | null): Promise<void>;
  /** The sets of which they were told. */
  toldLocks(): readonly SetName[];
}

/** Runs work on one data set while no other work on it runs. */
export interface SetGate {
  run<Value>(of: SetName, work: () => Promise<Value>): Promise<Value>;
}
