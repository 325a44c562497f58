/**
 * Whatever was published in a site's name while somebody else had its key, the site goes on: its
 * next lists are taken in by its holders, and name what the honest ones named.
 */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { z } from "zod";
import { idOf, sha256, type ListId, type SetId, type ShardId } from "../../protocol/ids.ts";
import { loadList } from "../../daemon/backup/store/lists/list-store.ts";
import { signList } from "../../protocol/backup/list.ts";
import { shardIdOf } from "../../protocol/backup/shard-id.ts";
import type { JsonValue } from "../../protocol/encoding/json-value.ts";
import { placeRecord, type PlaceRecord } from "../../protocol/logs/record.ts";
import { SeededRandom } from "../fakes/seeded-random.ts";
import { OWNER, SpreadMesh, type SimulatedSite } from "./spread-mesh.ts";

const SET = "00112233445566778899aabbccddeeff" as SetId;
const LOST_MS = 3_600_000;
const REST_MS = 10 * 60_000;
const random = new SeededRandom(23);

async function commit(home: SimulatedSite, chain: string): Promise<ShardId> {
  const bytes = random.bytes(4096);
  const root = shardIdOf(OWNER, SET, bytes);
  await home.backups.putShard(SET, root, bytes);
  await home.backups.commit(SET, {
    ...{ owner: OWNER, sealedName: "c2VhbGVk", keyEpoch: 0, copies: 3, remove: [] },
    ...{ add: [[root, 4096]], head: { chain, number: 1, previous: null, root, atMs: 1 } },
  });
  return root;
}

/** Three holders of a set, and its site, which comes up again after the record was made to lie. */
async function stage(
  context: TestContext,
  published: Partial<Pick<PlaceRecord, "groups" | "groupCount">>,
  down: readonly string[] = [],
) {
  const made = await SpreadMesh.create({ lostMs: LOST_MS, silentMs: LOST_MS });
  context.after(() => made.end());
  for (const name of ["home", "a", "b", "c"]) await made.up(name);
  const before = made.sites.get("home");
  assert.ok(before);
  made.delegate(before.id);
  await made.pass(5000);
  const honest = await commit(before, "11".repeat(16));
  await untilSafe(made, before);
  await made.kill("home");
  const place = made.records().find((entry) => entry.class === "place");
  assert.ok(place);
  const told = placeRecord.parse(place.value);
  assert.ok(told.head);
  const head = { ...told.head, number: Number.MAX_SAFE_INTEGER, atMs: Number.MAX_SAFE_INTEGER };
  const value = z.encode(placeRecord, { ...told, head, ...published });
  made.putRecord({ ...place, value: value as JsonValue });
  for (const name of down) await made.kill(name);
  const home = await made.up("home");
  await made.pass(3000);
  return { made, home, honest };
}

async function untilSafe(made: SpreadMesh, home: SimulatedSite, limitMs = 120_000): Promise<void> {
  const endMs = made.time.nowMs + limitMs;
  for (;;) {
    const copies = await home.backups.copies(SET, false);
    if (copies.safe) return;
    assert.ok(made.time.nowMs < endMs, JSON.stringify(copies));
    await made.pass(250);
  }
}

const nowhere = (generation: number) => ({
  ...{ targets: [], generation, list: idOf<ListId>(sha256("nowhere")), shards: 0, bytes: 0 },
});

for (const [what, groups, groupCount] of [
  ["the last generation there is", [nowhere(Number.MAX_SAFE_INTEGER)], 1],
  ["three groups", [nowhere(1), nowhere(1), nowhere(1)], 3],
  ["groups that never come", [nowhere(9)], 128],
] as const) {
  test(`lists that nobody has do not keep a site from its next run: ${what}`, async (context) => {
    const { made, home, honest } = await stage(context, { groups: [...groups], groupCount });
    if (groups.length < groupCount) {
      await assert.rejects(commit(home, "22".repeat(16)), { code: "E-BACKUP-HEAD" });
      await made.time.advance(REST_MS);
      await made.pass(70_000);
    }
    const root = await commit(home, "22".repeat(16));
    await untilSafe(made, home);
    for (const name of ["a", "b", "c"]) {
      const { lists } = made.sites.get(name)?.backups.holder ?? assert.fail(name);
      const list = await lists.load(OWNER, SET, 0, "complete");
      const named = new Set(list?.entries.map(({ shard }) => shard));
      assert.deepEqual(named, new Set([honest, root]));
    }
  });
}

test("while a holder is away that may have them, they are waited for, but not for ever", async (context) => {
  const { made, home } = await stage(context, { groups: [nowhere(7)], groupCount: 1 }, ["b"]);
  await assert.rejects(commit(home, "22".repeat(16)), { code: "E-BACKUP-HEAD" });
  await made.time.advance(LOST_MS);
  await made.pass(70_000);
  await commit(home, "22".repeat(16));
});

test("holders that were led to numbers far apart all take the next list", async (context) => {
  const { made, home, honest } = await stage(context, {});
  const { siteKey } = home.backups.holder;
  const first = made.sites.get("b")?.backups.holder.lists ?? assert.fail();
  const list = await first.load(OWNER, SET, 0);
  assert.ok(list);
  const { by: _by, shards: _shards, bytes: _bytes, entriesHash: _hash, ...fields } = list.header;
  const far = signList(siteKey, { ...fields, generation: 5 * 2 ** 20 }, list.entries);
  await first.put([loadList(far)]);
  const root = await commit(home, "22".repeat(16));
  // The first of them hears from a co-holder that there is something newer, and has to be asked.
  await untilSafe(made, home, 400_000);
  const held = ["a", "b", "c"].map((name) => {
    return made.sites.get(name)?.backups.holder.lists.newest(OWNER, SET, 0);
  });
  assert.equal(new Set(held.map((one) => one?.id)).size, 1);
  assert.ok((held[0]?.header.generation ?? 0) > 5 * 2 ** 20);
  const newest = await first.load(OWNER, SET, 0, "complete");
  assert.deepEqual(new Set(newest?.entries.map(({ shard }) => shard)), new Set([honest, root]));
});
