/**
 * The daemon's side of one data set, in memory: what is stored, what the lists name, and the newest
 * snapshots by the daemon's own rule. What left the lists stays, as it does at holders under the lock.
 */
import assert from "node:assert/strict";
import { BackupError } from "../../daemon/backup/client/error.ts";
import type { CommitRequest, SetState, SetStore } from "../../daemon/backup/client/port.ts";
import { nextTips, type Tips } from "../../daemon/core/backup/next-tips.ts";
import type { Head } from "../../protocol/backup/head.ts";
import type { ShardId } from "../../protocol/ids.ts";

export class FakeSetStore implements SetStore {
  readonly shards = new Map<ShardId, Uint8Array>();
  listed = new Set<ShardId>();
  tips: Tips = { head: null, tips: [], setBackTo: null };
  /** Heads that members tell of besides the newest. */
  claims: readonly Head[] = [];

  get head(): Head | null {
    return this.tips.head;
  }

  async state(): Promise<SetState | undefined> {
    if (this.head === null && this.listed.size === 0) return undefined;
    return { ...this.tips, shards: new Set(this.listed) };
  }

  async heads(): Promise<readonly Head[]> {
    return [...this.claims, ...(this.head === null ? [] : [this.head])];
  }

  async get(shard: ShardId): Promise<Uint8Array> {
    const bytes = this.shards.get(shard);
    if (bytes === undefined) throw new BackupError("E-BACKUP-STORE", `no shard ${shard}`);
    return Uint8Array.from(bytes);
  }

  async put(shard: ShardId, bytes: Uint8Array): Promise<void> {
    this.shards.set(shard, Uint8Array.from(bytes));
  }

  async commit({ head, add, remove = [], found = [], settled = [], again = [] }: CommitRequest) {
    const after = nextTips(this.tips, { head, found, settled });
    if (typeof after === "string") throw new BackupError("E-BACKUP-STORE", after);
    for (const tip of after.tips) assert.ok(!remove.includes(tip.root), "a tip leaves the lists");
    for (const [shard] of [...add, ...again]) this.listed.add(shard);
    for (const shard of remove) assert.ok(this.listed.delete(shard), "removed and not listed");
    this.tips = after;
    return { shards: this.listed.size, bytes: 0 };
  }
}
