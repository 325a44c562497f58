import assert from "node:assert/strict";
import { test } from "node:test";
import { judgeOpen, judgeSuspects, lossOf, putRound } from "../../core/backup/audit-progress.ts";
import type { AuditItem } from "../../core/backup/audit-choice.ts";
import { MemoryStore, OWNER } from "../../../test-mesh/simulation/spread-mesh.ts";
import {
  idOf,
  sha256,
  type SetId,
  type ShardId,
  type SiteId,
  type StoreId,
} from "../../../protocol/ids.ts";
import { PairStore } from "./pair-store.ts";
import { Pairs, type Pair } from "./pairs.ts";

const SET = "00112233445566778899aabbccddeeff" as SetId;
const DAY_MS = 86_400_000;
const LIAR = idOf<SiteId>(sha256("liar"));
const [BEFORE, AFTER] = ["11", "22"].map((two) => two.repeat(16) as StoreId) as [StoreId, StoreId];
const name = { site: LIAR, owner: OWNER, set: SET };
const item: AuditItem = {
  ...{ group: 0, shard: idOf<ShardId>(sha256("shard")), sizeBytes: 4096, leaf: 0 },
};

/** A pair whose holder has lost a shard, kept durably. */
async function lost(pairs: Pairs): Promise<Pair> {
  const pair = pairs.of(name, BEFORE, DAY_MS);
  let progress = putRound(pair.state.progress, "00", [item]);
  progress = judgeOpen(progress, [{ item, verdict: "wrong" }], 1);
  progress = judgeSuspects(progress, [{ shard: item.shard, verdict: "wrong" }], 2);
  await pairs.keep(pair, progress, "durable");
  return pair;
}

function lossesOf(pair: Pair): number {
  return lossOf(pair.state.progress, [{ group: 0, shards: 9 }]).shards;
}

test("what a holder lost stays lost when it says to have another store, also after a restart", async () => {
  const store = new MemoryStore();
  const pairs = await Pairs.open(new PairStore(store));
  assert.equal(lossesOf(await lost(pairs)), 1);
  const moved = pairs.of(name, AFTER, DAY_MS);
  assert.equal(moved.state.progress.storeId, AFTER);
  assert.equal(lossesOf(moved), 1);
  const again = await Pairs.open(new PairStore(store));
  assert.equal(lossesOf(again.of(name, AFTER, DAY_MS)), 1);
});

test("who lost something and is asked no more stays known after a restart, for as long as losses count", async () => {
  const store = new MemoryStore();
  await lost(await Pairs.open(new PairStore(store)));
  const pairs = await Pairs.open(new PairStore(store));
  const gone = (): number => pairs.goneFrom({ owner: OWNER, set: SET }, [], new Set()).length;
  assert.equal(gone(), 1);
  await pairs.retain([], new Set(), 30 * DAY_MS);
  assert.equal(gone(), 1);
  await pairs.retain([], new Set(), 0);
  assert.equal(gone(), 0);
  const later = await Pairs.open(new PairStore(store));
  assert.deepEqual(later.all(), []);
});
