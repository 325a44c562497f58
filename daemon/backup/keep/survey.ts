/**
 * One look at a data set: what its newest lists name, what of that is here, what no list names any
 * more, and what no list ever named.
 *
 * "Cannot be read" is never "names nothing": any list or directory that cannot be read ends the
 * look, and nothing is concluded from it.
 */
import { departuresOf, type Departure } from "../../core/authority/departures.ts";
import type { ShardId, SiteId } from "../../../protocol/ids.ts";
import { IdSet } from "./id-set.ts";
import type { PastList } from "./past-lists.ts";
import type { KeptLists, KeptShards, SetName } from "./ports.ts";

export interface Survey {
  /** The sites that signed the newest lists; none where the set has no list here. */
  readonly signers: ReadonlySet<SiteId>;
  /** Bytes that the newest lists name and that are here. */
  readonly heldBytes: number;
  /** All that the newest lists name is here. */
  readonly isComplete: boolean;
  /** Running time at which the newest of them was taken in. */
  readonly newestMs: number;
  /** Named by an earlier list that is remembered, by none now, and here. */
  readonly departed: ReadonlyMap<ShardId, Departure>;
  /** Here, and in no list that is remembered. */
  readonly strays: readonly ShardId[];
  readonly past: ReadonlyMap<number, readonly PastList[]>;
  /** Changes when any list of the set is taken in. */
  readonly stamp: string;
}

/** @throws when anything cannot be read. */
export async function survey(lists: KeptLists, shards: KeptShards, of: SetName): Promise<Survey> {
  const { owner, set } = of;
  const stamp = stampOf(lists, of);
  const known = lists.all(owner, set);
  const here = new IdSet();
  for await (const shard of shards.shardsOf(owner, set)) here.add(shard);
  const named = new IdSet();
  const signers = new Set<SiteId>();
  const past = new Map<number, readonly PastList[]>();
  let heldBytes = 0;
  let isComplete = true;
  let newestMs = 0;
  for (const { header } of known) {
    const list = await lists.load(owner, set, header.group);
    if (list === undefined) throw new Error(`the list of group ${header.group} is damaged`);
    signers.add(list.header.by);
    for (const { shard, sizeBytes } of list.entries) {
      // While a set is split, two lists name a shard for a while: it counts once.
      if (!here.has(shard)) isComplete = false;
      else if (!named.has(shard)) heldBytes += sizeBytes;
    }
    for (const { shard } of list.entries) named.add(shard);
  }
  const departed = new Map<ShardId, Departure>();
  for (const { header } of known) {
    const changes = await lists.past(owner, set, header.group);
    past.set(header.group, changes);
    const newest = lists.taken(owner, set, header.group) ?? { count: 1, atMs: 0 };
    newestMs = Math.max(newestMs, newest.atMs);
    for (const [shard, departure] of departuresOf(changes, newest)) {
      if (named.has(shard) || !here.has(shard)) continue;
      const other = departed.get(shard);
      // It went to the new half of a group and was dropped there, too: that was later.
      if (other === undefined || other.leftMs < departure.leftMs) departed.set(shard, departure);
    }
  }
  const strays: ShardId[] = [];
  for await (const shard of shards.shardsOf(owner, set)) {
    if (!named.has(shard) && !departed.has(shard)) strays.push(shard);
  }
  return { signers, heldBytes, isComplete, newestMs, departed, strays, past, stamp };
}

/** The same as long as no list of the set is taken in. */
export function stampOf(lists: KeptLists, { owner, set }: SetName): string {
  return lists
    .all(owner, set)
    .map(({ header: { group } }) => `${group}:${lists.taken(owner, set, group)?.count ?? 0}`)
    .toSorted()
    .join(" ");
}
