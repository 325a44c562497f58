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
import {
  idOf,
  sha256,
  type ChainId,
  type ListId,
  type SetId,
  type ShardId,
} from "../../protocol/ids.ts";
import type { SiteId } from "../../protocol/ids.ts";
import type { PlaceRecord } from "../../protocol/logs/record.ts";
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
    assert.ok(made.time.nowMs - startMs < 5 * DAY, `${what} did not come about`);
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
  const half = placed(home);
  assert.ok(half.groups.length === half.groupCount && half.groupCount < 128);
  await backUp(home, 2, 130, first);
  await until(made, "copies of the second run", () => isSafe(home));
  assert.equal(placed(home).groups.length, 128);
  const values = made.records().map(({ value }) => encodeJson(value).length);
  assert.ok(Math.max(...values) <= MAX_VALUE_BYTES);
  const places = made.records().filter((entry) => entry.class === "place");
  assert.ok(places.length > 1, "all groups stand in one record");
  // A holder signs for the last shard before it writes what it holds.
  await until(made, "what holders say to hold", () =>
    placed(home).groups.every(({ targets, list }, group) => {
      return targets.length === 3 && targets.every((site) => heldAt(home, site, group) === list);
    }),
  );
  await until(made, "proofs of all holders", () => {
    const holders = placed(home).groups.flatMap(({ targets }) => targets);
    return new Set(holders).difference(provenBy(made, home)).size === 0;
  });
});

function placed(home: SimulatedSite): PlaceRecord {
  const place = placeOf(home.backups.holder.state.view(), SET, home.id);
  return place ?? assert.fail("nothing is published");
}

function heldAt(home: SimulatedSite, site: SiteId, group: number): ListId | undefined {
  const hold = holdOf(home.backups.holder.state.view(), OWNER, SET, site);
  return hold?.groups.find((one) => one.group === group)?.list;
}

/** Holders in which the set's own site found nothing wrong. */
function provenBy(made: SpreadMesh, home: SimulatedSite): ReadonlySet<SiteId> {
  const sites = made.records().flatMap(({ key, author, value }) => {
    const site = parseAuditKey(key)?.site;
    if (author !== home.id || site === undefined) return [];
    const { outcome, provenAtMs } = auditRecord.parse(value);
    return outcome === "proven" && provenAtMs !== null ? [site] : [];
  });
  return new Set(sites);
}
