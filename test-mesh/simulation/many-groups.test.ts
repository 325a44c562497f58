/**
 * A data set with more groups than fit into one record is placed, split, held and proven.
 *
 * Groups are split at some kilobytes here, where they have 16 GiB otherwise; everything else is as in
 * a set of terabytes. A minute stands for a day.
 */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import type { AuditPace } from "../../daemon/core/backup/audit-pace.ts";
import { holdOf, placeOf } from "../../daemon/core/backup/published.ts";
import { idOf, sha256, type ChainId, type SetId, type ShardId } from "../../protocol/ids.ts";
import { parseAuditKey, auditRecord } from "../../protocol/logs/hold-record.ts";
import { encodeJson } from "../../protocol/encoding/json-value.ts";
import { MAX_VALUE_BYTES } from "../../protocol/logs/record-version.ts";
import { shardIdOf } from "../../protocol/backup/shard-id.ts";
import { SeededRandom } from "../fakes/seeded-random.ts";
import { OWNER, SpreadMesh, type SimulatedSite } from "./spread-mesh.ts";

const SET = "00112233445566778899aabbccddeeff" as SetId;
const CHAIN = "0123456789abcdef0123456789abcdef" as ChainId;
const DAY = 60_000;
const PACE: AuditPace = {
  everyMs: DAY,
  wholeMs: 4 * DAY,
  scrubMs: 1000 * DAY,
  patienceMs: DAY,
  takeoverMs: DAY / 2,
};
/** A padded remainder; all shards are like that here. */
const SHARD_BYTES = 4096;
const SPLIT_BYTES = 5 * SHARD_BYTES;
/** As long as it may be: with it, 128 groups at four holders do not fit into one record. */
const NAME = Buffer.alloc(512, 7).toString("base64");

async function stage(context: TestContext): Promise<{ made: SpreadMesh; home: SimulatedSite }> {
  const made = await SpreadMesh.create({ pace: PACE, splitBytes: SPLIT_BYTES });
  context.after(() => made.end());
  for (const name of ["home", "a", "b", "c", "d"]) await made.up(name);
  const home = made.sites.get("home") ?? assert.fail();
  made.delegate(home.id);
  await made.pass(3000);
  return { made, home };
}

/** One run that stores so many shards. */
async function backUp(home: SimulatedSite, number: number, count: number, before: ShardId | null) {
  const random = new SeededRandom(number);
  const add: [ShardId, number][] = [];
  for (let at = 0; at < count; at++) {
    const bytes = random.bytes(SHARD_BYTES);
    const shard = shardIdOf(OWNER, SET, bytes);
    await home.backups.putShard(SET, shard, bytes);
    add.push([shard, SHARD_BYTES]);
  }
  const root = add[0]?.[0] ?? idOf<ShardId>(sha256("none"));
  await home.backups.commit(SET, {
    ...{ owner: OWNER, sealedName: NAME, keyEpoch: 0, copies: 3, add, remove: [] },
    head: { chain: CHAIN, number, previous: before, root, atMs: 1 },
  });
  return root;
}

async function until(made: SpreadMesh, what: string, condition: () => boolean | Promise<boolean>) {
  const startMs = made.time.nowMs;
  while (!(await condition())) {
    assert.ok(made.time.nowMs - startMs < 20 * DAY, `${what} did not come about`);
    await made.pass(500);
  }
}

async function isSafe(home: SimulatedSite): Promise<boolean> {
  return (await home.backups.copies(SET, false)).safe;
}

test("a set of 128 groups is placed, split, held and proven", async (context) => {
  const { made, home } = await stage(context);
  const first = await backUp(home, 1, 40, null);
  await until(made, "copies of the first run", () => isSafe(home));
  const { view } = home.backups.holder.state;
  const half = placeOf(view(), SET, home.id);
  assert.ok(half !== undefined && half.groups.length === half.groupCount);
  await backUp(home, 2, 130, first);
  await until(made, "copies of the second run", () => isSafe(home));
  const place = placeOf(view(), SET, home.id);
  assert.equal(place?.groups.length, 128);
  assert.ok(half.groupCount < 128);
  const values = made.records().map(({ value }) => encodeJson(value).length);
  assert.ok(Math.max(...values) <= MAX_VALUE_BYTES);
  const placed = made.records().filter((entry) => entry.class === "place");
  assert.ok(placed.length > 1, "all groups stand in one record");
  const holders = [...new Set(place.groups.flatMap(({ targets }) => targets))];
  // A holder signs for the last shard before it writes what it holds.
  await until(made, "what holders say to hold", () =>
    holders.every((site) => {
      const hold = holdOf(view(), OWNER, SET, site);
      const lists = new Map(hold?.groups.map(({ group, list }) => [group, list]));
      return place.groups.every(({ targets, list }, group) => {
        return (lists.get(group) === list) === targets.includes(site);
      });
    }),
  );
  const proven = (): number =>
    made.records().filter(({ key, author, value }) => {
      if (author !== home.id || parseAuditKey(key) === undefined) return false;
      const { outcome, provenAtMs } = auditRecord.parse(value);
      return outcome === "proven" && provenAtMs !== null;
    }).length;
  await until(made, "proofs of all holders", () => proven() === holders.length);
});
