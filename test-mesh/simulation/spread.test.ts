/** A data set finds its way to three other sites, whatever happens on the way. */
import assert from "node:assert/strict";
import { cp, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { fetchIntoStore } from "../../daemon/backup/store/spread/fetch.ts";
import { idOf, sha256, type ChainId, type OwnerId, type SetId } from "../../protocol/ids.ts";
import type { ShardId } from "../../protocol/ids.ts";
import { holdKey, holdRecord, placeRecord } from "../../protocol/logs/record.ts";
import { openReceipt } from "../../protocol/backup/receipt.ts";
import { shardIdOf } from "../../protocol/backup/shard-id.ts";
import { SeededRandom } from "../fakes/seeded-random.ts";
import { OWNER, SpreadMesh, type SimulatedSite, type SpreadMeshOptions } from "./spread-mesh.ts";

const SET = "00112233445566778899aabbccddeeff" as SetId;
const CHAIN = "0123456789abcdef0123456789abcdef" as ChainId;
const random = new SeededRandom(11);

async function mesh(context: TestContext, names: string, options: SpreadMeshOptions = {}) {
  const made = await SpreadMesh.create(options);
  context.after(() => made.end());
  for (const name of names.split(" ")) await made.up(name);
  const home = made.sites.get("home");
  assert.ok(home);
  made.delegate(home.id);
  await made.pass(5000);
  return { made, home };
}

/** Stores shards at the site and publishes them as the next snapshot. */
async function backUp(
  home: SimulatedSite,
  number: number,
  sizes: readonly number[],
  chain: string = CHAIN,
) {
  const add: [ShardId, number][] = [];
  for (const size of sizes) {
    const bytes = random.bytes(size);
    const shard = shardIdOf(OWNER, SET, bytes);
    assert.equal(await home.backups.putShard(SET, shard, bytes), "stored");
    add.push([shard, size]);
  }
  const known = (await home.backups.sets()).find(({ setId }) => setId === SET);
  const root = add[0]?.[0] ?? idOf<ShardId>(sha256("none"));
  const previous = number === 1 ? null : (known?.head?.root ?? null);
  await home.backups.commit(SET, {
    ...{ owner: OWNER, sealedName: "c2VhbGVk", keyEpoch: 0, copies: 3, add, remove: [] },
    head: { chain, number, previous, root, atMs: 1 },
  });
  return add;
}

const SIZES = [4096, 65_536, 1024 * 1024, 4 * 1024 * 1024];
const BYTES = SIZES.reduce((sum, size) => sum + size, 0);

/** Turns time until the set is safe. */
async function untilSafe(made: SpreadMesh, home: SimulatedSite, limitMs: number): Promise<number> {
  const startMs = made.time.nowMs;
  for (;;) {
    if ((await home.backups.copies(SET, false)).safe) return made.time.nowMs - startMs;
    if (made.time.nowMs - startMs > limitMs) {
      assert.fail(`not safe: ${JSON.stringify(await home.backups.copies(SET, false))}`);
    }
    await made.pass(250);
  }
}

test("each shard leaves its owner once, and three other sites sign for every piece", async (context) => {
  const { made, home } = await mesh(context, "home a b c d");
  const add = await backUp(home, 1, SIZES);
  await untilSafe(made, home, 60_000);
  const copies = await home.backups.copies(SET, true);
  assert.equal(copies.ownerSentBytes, BYTES);
  assert.equal(copies.minReceipts, 3);
  assert.equal(copies.atRisk, null);
  assert.equal(copies.perShard?.length, SIZES.length + 1);
  for (const piece of copies.perShard ?? []) {
    const holders = piece.receipts.map(({ bytes, signature }) => {
      const receipt = openReceipt({
        bytes: Buffer.from(bytes, "base64"),
        signature: Buffer.from(signature, "base64"),
      });
      assert.equal(receipt.id, piece.shard);
      assert.equal(receipt.sizeBytes, piece.size);
      return receipt.holder;
    });
    assert.equal(new Set(holders).size, 3);
    assert.ok(!holders.includes(home.id));
  }
  const holders = [...made.sites.values()].filter(
    (site) => site !== home && site.backups.holder.lists.all(OWNER, SET).length > 0,
  );
  assert.equal(holders.length, 3);
  for (const { backups } of holders) {
    for (const [shard, size] of add) {
      assert.equal(await backups.holder.shards.sizeOf({ owner: OWNER, set: SET, shard }), size);
    }
  }
});

test("a second run sends only what is new", async (context) => {
  const { made, home } = await mesh(context, "home a b c");
  await backUp(home, 1, SIZES);
  await untilSafe(made, home, 60_000);
  await backUp(home, 2, [8192]);
  assert.equal((await home.backups.copies(SET, false)).safe, false);
  await untilSafe(made, home, 60_000);
  const { ownerSentBytes } = await home.backups.copies(SET, false);
  assert.equal(ownerSentBytes, BYTES + 8192);
});

test("too few sites: at risk with the number, completed by itself when one appears", async (context) => {
  const { made, home } = await mesh(context, "home a b");
  await backUp(home, 1, SIZES);
  await made.pass(30_000);
  const before = await home.backups.copies(SET, false);
  assert.equal(before.atRisk, "2 of 3");
  assert.match(before.reasons.join(" "), /1 more site/);
  await made.up("late");
  await untilSafe(made, home, 60_000);
  // The holders gave it to the newcomer; the owner's line was left alone.
  assert.equal((await home.backups.copies(SET, false)).ownerSentBytes, BYTES);
});

test("a holder that dies in mid-chain is replaced after the bounded time", async (context) => {
  const { made, home } = await mesh(context, "home a b c d", { silentMs: 60_000 });
  await backUp(home, 1, SIZES);
  await made.pass(150);
  const place = made.records().find((entry) => entry.class === "place");
  const [, second] = placeRecord.parse(place?.value).groups[0]?.targets ?? [];
  const victim = [...made.sites].find(([, site]) => site.id === second)?.[0] ?? "";
  await made.kill(victim);
  // Long, because files are written in real time, of which little passes in a minute of this one.
  const tookMs = await untilSafe(made, home, 900_000);
  assert.ok(tookMs >= 30_000, `${tookMs}`);
  assert.ok((await home.backups.copies(SET, false)).ownerSentBytes <= 2 * BYTES);
});

test("a first hop that dies in the middle costs no more than what it alone had", async (context) => {
  // Long, because files are written in real time, and a site that waits for its disk is not dead.
  const { made, home } = await mesh(context, "home a b c d", { silentMs: 240_000 });
  const sizes = Array.from({ length: 24 }, () => 262_144);
  const add = await backUp(home, 1, sizes);
  const total = 24 * 262_144;
  await made.until(
    () => made.records().some((entry) => entry.class === "place"),
    10_000,
    "a place",
  );
  const place = made.records().find((entry) => entry.class === "place");
  const [first] = placeRecord.parse(place?.value).groups[0]?.targets ?? [];
  const [victim, dying] = [...made.sites].find(([, site]) => site.id === first) ?? [];
  assert.ok(victim !== undefined && dying !== undefined);
  const names = add.map(([shard]) => ({ owner: OWNER, set: SET, shard }));
  const held = async (site: SimulatedSite): Promise<Set<ShardId>> => {
    const { shards } = site.backups.holder;
    const sized = await Promise.all(names.map((name) => shards.sizeOf(name)));
    return new Set(names.flatMap(({ shard }, at) => (sized[at] === undefined ? [] : shard)));
  };
  for (let round = 0; round < 200 && (await held(dying)).size < 8; round++) await made.pass(10);
  // Cut off first: what was sent and what arrived can then be counted while nothing moves.
  made.network.leave(dying.id);
  const others = [...made.sites.values()].filter((site) => site !== home && site !== dying);
  const elsewhere = new Set((await Promise.all(others.map(held))).flatMap((one) => [...one])).size;
  const sentBefore = (await home.backups.copies(SET, false)).ownerSentBytes;
  await made.kill(victim);
  await untilSafe(made, home, 1_500_000);
  const { ownerSentBytes } = await home.backups.copies(SET, false);
  context.diagnostic(
    `sent ${(ownerSentBytes / total).toFixed(3)} x, ${elsewhere} of 24 had got beyond it`,
  );
  assert.ok(sentBefore < total, "it died too late");
  // What had been sent to it and is nowhere else is sent again, and not a byte more.
  const limit = sentBefore + total - elsewhere * 262_144;
  assert.ok(ownerSentBytes <= limit, `${ownerSentBytes} > ${limit}`);
});

test("the owner dies after the first hop has everything: the chain completes without it", async (context) => {
  const { made, home } = await mesh(context, "home a b c");
  await backUp(home, 1, SIZES);
  const others = (): number =>
    [...made.sites.values()].filter(
      (site) => site !== home && site.backups.holder.lists.all(OWNER, SET).length > 0,
    ).length;
  await made.until(
    () => made.records().some(({ key }) => key === holdKey(OWNER, SET)),
    60_000,
    "the first holder",
  );
  await made.kill("home");
  await made.until(
    () => made.records().filter(({ key }) => key === holdKey(OWNER, SET)).length === 3,
    120_000,
    "three holders",
  );
  assert.equal(others(), 3);
  // Back again, the owner asks for the receipts and sends nothing anew.
  const again = await made.up("home");
  await untilSafe(made, again, 60_000);
  const { ownerSentBytes } = await again.backups.copies(SET, false);
  assert.ok(ownerSentBytes <= BYTES, `${ownerSentBytes}`);
});

test("everybody is killed at many moments, and still nothing is missing in the end", async (context) => {
  const { made, home } = await mesh(context, "home a b c");
  await backUp(home, 1, SIZES);
  const names = ["home", "a", "b", "c"];
  for (let round = 0; round < 12; round++) {
    await made.pass(random.between(1, 400));
    const name = names[random.between(0, names.length - 1)] ?? "a";
    await made.kill(name);
    await made.pass(random.between(1, 200));
    await made.up(name);
  }
  const again = made.sites.get("home") ?? home;
  await untilSafe(made, again, 600_000);
});

test("an emptied store is seen, and filled again", async (context) => {
  const { made, home } = await mesh(context, "home a b c");
  const add = await backUp(home, 1, SIZES);
  await untilSafe(made, home, 60_000);
  await made.kill("b");
  const before = made.sites.get("b");
  assert.ok(before);
  await rm(before.directory, { recursive: true });
  const after = await made.up("b");
  assert.notEqual(after.backups.holder.shards.storeId, before.backups.holder.shards.storeId);
  const held = (): boolean =>
    made
      .records()
      .some(
        ({ key, author, value }) =>
          key === holdKey(OWNER, SET) &&
          author === after.id &&
          holdRecord.parse(value).storeId === after.backups.holder.shards.storeId,
      );
  await made.until(held, 120_000, "the new store's hold record");
  await untilSafe(made, home, 120_000);
  for (const [shard, size] of add) {
    assert.equal(await after.backups.holder.shards.sizeOf({ owner: OWNER, set: SET, shard }), size);
  }
});

test("a site that lends nothing any more is drained: others take over what it has, then it is free", async (context) => {
  const { made, home } = await mesh(context, "home a b c");
  await backUp(home, 1, SIZES);
  await untilSafe(made, home, 60_000);
  await made.kill("b");
  const leaving = await made.up("b", 0);
  await made.pass(5000);
  const targets = async (): Promise<readonly string[]> =>
    (await home.backups.set(SET)).groups[0]?.targets ?? [];
  // Nobody else is there: it stays, and what is missing is said.
  assert.ok((await targets()).includes(leaving.id));
  assert.ok((await home.backups.copies(SET, false)).safe);
  const fourth = await made.up("d");
  for (let round = 0; round < 200 && (await targets()).includes(leaving.id); round++) {
    await made.pass(250);
  }
  const after = await targets();
  assert.ok(!after.includes(leaving.id) && after.includes(fourth.id));
  const copies = await home.backups.copies(SET, false);
  assert.ok(copies.safe);
  // The holders gave it to the newcomer.
  assert.equal(copies.ownerSentBytes, BYTES);
});

test("shards that are asked for at once come from all holders, and one that lies is passed over", async (context) => {
  const { made, home } = await mesh(context, "home a b c");
  const add = await backUp(
    home,
    1,
    Array.from({ length: 12 }, () => 65_536),
  );
  await untilSafe(made, home, 60_000);
  for (const [shard] of add) {
    await rm(`${home.directory}/shards/${OWNER}/${SET}/${shard.slice(0, 2)}/${shard}`);
  }
  const asked = new Map<string, number>();
  for (const name of ["a", "b", "c"]) {
    made.distorted.set(name, (channel) => {
      asked.set(name, (asked.get(name) ?? 0) + 1);
      // One of them cuts each channel without an answer.
      if (name === "b") channel.abort("no answer");
      return channel;
    });
  }
  const all = Promise.all(add.map(([shard]) => home.backups.getShard(SET, shard)));
  await made.until(settledFlag(all), 120_000, "the shards");
  for (const [at, bytes] of (await all).entries()) assert.equal(bytes.length, add[at]?.[1]);
  for (const name of ["a", "b", "c"]) assert.ok((asked.get(name) ?? 0) >= 3, name);
});

test("what is fetched from other holders takes nothing of what a disk keeps in reserve", async (context) => {
  const { made, home } = await mesh(context, "home a b c");
  const [[shard, size] = [undefined, 0]] = await backUp(home, 1, [65_536]);
  assert.ok(shard);
  await untilSafe(made, home, 60_000);
  await rm(`${home.directory}/shards/${OWNER}/${SET}/${shard.slice(0, 2)}/${shard}`);
  const { holder } = home.backups;
  const source = made.sites.get("a")?.id;
  assert.ok(source);
  const { signal } = new AbortController();
  const fetched = async () => {
    const work = fetchIntoStore(holder, source, { owner: OWNER, set: SET, shard }, size, signal);
    await made.until(settledFlag(work), 60_000, "the shard");
    return work;
  };
  const freeBytes = context.mock.method(holder.shards, "freeBytes", async () => size - 1);
  await assert.rejects(fetched(), { code: "E-BACKUP-SPACE" });
  assert.equal(holder.shards.partials.bytesOf(shard), 0);
  freeBytes.mock.restore();
  assert.equal(await fetched(), "stored");
});

test("a site that lends too little is passed over and says so", async (context) => {
  const made = await SpreadMesh.create();
  context.after(() => made.end());
  const home = await made.up("home");
  for (const name of ["a", "b"]) await made.up(name);
  await made.up("tiny", 1024 * 1024);
  made.delegate(home.id);
  await made.pass(5000);
  await backUp(home, 1, SIZES);
  await made.pass(120_000);
  const copies = await home.backups.copies(SET, false);
  assert.equal(copies.atRisk, "2 of 3");
  assert.match(copies.reasons.join(" "), /no room/);
});

test("an old copy of the owner's directory is put back: it catches up with what it published", async (context) => {
  const { made, home } = await mesh(context, "home a b c");
  await backUp(home, 1, [65_536]);
  await untilSafe(made, home, 60_000);
  const oldStore = home.store.copy();
  const oldDirectory = `${home.directory}.old`;
  await cp(home.directory, oldDirectory, { recursive: true });
  const later = await backUp(home, 2, SIZES);
  await untilSafe(made, home, 60_000);

  await made.kill("home");
  await rm(home.directory, { recursive: true });
  await rename(oldDirectory, home.directory);
  home.store = oldStore;
  const again = await made.up("home");
  // Nothing may be published on top of what is forgotten.
  await assert.rejects(backUp(again, 2, [4096]), /older than what the site has published/);
  await untilSafe(made, again, 120_000);
  const [set] = await again.backups.sets();
  assert.equal(set?.head?.number, 2);
  assert.equal(set.shards, SIZES.length + 1);
  for (const [shard, size] of later) {
    const bytes = again.backups.getShard(SET, shard);
    await made.until(settledFlag(bytes), 60_000, "the shard");
    assert.equal((await bytes).length, size);
  }
  // What it knew is another line now: it does not go on in the chain, and both tips stand.
  const at = await again.backups.set(SET);
  assert.equal(at.setBackTo?.head?.number, 1);
  await assert.rejects(backUp(again, 3, [4096]), /was set back/);
  await backUp(again, 1, [4096], "ab".repeat(16));
  const { tips, setBackTo } = await again.backups.set(SET);
  assert.deepEqual(
    tips.map(({ number }) => number),
    [2],
  );
  assert.equal(setBackTo, null);
  await untilSafe(made, again, 60_000);
  // Every member knows both, and tells them.
  for (const name of ["a", "b", "c"]) {
    const other = made.sites.get(name);
    assert.ok(other);
    const [told] = (await other.backups.sets()).filter(({ setId }) => setId === SET);
    assert.deepEqual([told?.head?.number, told?.tips.map(({ number }) => number)], [1, [2]]);
  }
  // The root of a tip cannot be taken from the lists.
  const plain = { owner: OWNER, sealedName: "c2VhbGVk", keyEpoch: 0, copies: 3 };
  const remove = tips.map(({ root }) => root);
  await assert.rejects(
    again.backups.commit(SET, { ...plain, head: null, add: [], remove }),
    /cannot be forgotten/,
  );
});

test("an old copy of a holder's directory is put back: its receipts are void, and it is filled again", async (context) => {
  const { made, home } = await mesh(context, "home a b c");
  await backUp(home, 1, [65_536]);
  await untilSafe(made, home, 60_000);
  const b = made.sites.get("b");
  assert.ok(b);
  const oldStore = b.store.copy();
  await cp(b.directory, `${b.directory}.old`, { recursive: true });
  const later = await backUp(home, 2, SIZES);
  await untilSafe(made, home, 60_000);
  await made.pass(2000);
  const sent = (await home.backups.copies(SET, false)).ownerSentBytes;

  await made.kill("b");
  await rm(b.directory, { recursive: true });
  await rename(`${b.directory}.old`, b.directory);
  b.store = oldStore;
  const again = await made.up("b");
  const { shards } = again.backups.holder;
  const before = b.backups.holder.shards.storeId;
  await made.until(() => shards.storeId !== before, 10_000, "a new identity");
  const [shard, size] = later.at(-1) ?? [];
  assert.ok(shard);
  let have: number | undefined;
  for (let round = 0; round < 600 && have !== size; round++) {
    await made.pass(100);
    have = await shards.sizeOf({ owner: OWNER, set: SET, shard });
  }
  assert.equal(have, size);
  await untilSafe(made, home, 60_000);
  // The other holders gave it what it lacked.
  assert.equal((await home.backups.copies(SET, false)).ownerSentBytes, sent);
});

test("four sites with six sets each, all holding for one another: all become safe, each sent once", async (context) => {
  const made = await SpreadMesh.create();
  context.after(() => made.end());
  const names = ["a", "b", "c", "d"];
  for (const name of names) made.delegate((await made.up(name)).id, ownerOf(name));
  await made.pass(3000);
  const sets: { site: SimulatedSite; set: SetId; bytes: number }[] = [];
  for (const name of names) {
    const site = made.sites.get(name);
    assert.ok(site);
    for (let count = 0; count < 6; count++) {
      const set = idOf<SetId>(random.bytes(16));
      const shards = [65_536, 8192, 4096].map((size) => random.bytes(size));
      const named = shards.map((one) => [shardIdOf(ownerOf(name), set, one), one] as const);
      for (const [shard, one] of named) await site.backups.putShard(set, shard, one);
      const root = named[0]?.[0] ?? "";
      await site.backups.commit(set, {
        ...{ owner: ownerOf(name), sealedName: "", keyEpoch: 0, copies: 3, remove: [] },
        add: named.map(([shard, one]) => [shard, one.length] as const),
        head: { chain: CHAIN, number: 1, previous: null, root, atMs: 1 },
      });
      sets.push({ site, set, bytes: 65_536 + 8192 + 4096 });
    }
  }
  for (let round = 0; round < 400; round++) {
    await made.pass(250);
    const all = await Promise.all(sets.map(({ site, set }) => site.backups.copies(set, false)));
    if (all.every(({ safe }) => safe)) break;
  }
  for (const { site, set, bytes } of sets) {
    const copies = await site.backups.copies(set, false);
    assert.equal(copies.minReceipts, 3);
    assert.equal(copies.ownerSentBytes, bytes);
  }
});

function ownerOf(name: string): OwnerId {
  return idOf<OwnerId>(sha256(`owner ${name}`));
}

test("a fork that went unseen: ours is signed above theirs, whose snapshot is a tip that holders keep", async (context) => {
  const { made, home } = await mesh(context, "home a b c");
  await backUp(home, 1, [65_536]);
  await untilSafe(made, home, 60_000);
  const oldStore = home.store.copy();
  const placeBefore = made.records().find(({ class: c }) => c === "place");
  assert.ok(placeBefore);
  const seen = await backUp(home, 2, [8192]);
  await untilSafe(made, home, 60_000);
  await made.kill("home");
  home.store = oldStore;
  // No member remembers the later record: only the holders' lists do.
  made.putRecord(placeBefore);
  const again = await made.up("home");
  const own = await backUp(again, 2, [4096]);
  await untilSafe(made, again, 120_000);
  const { groups } = await again.backups.set(SET);
  const listed = new Set(groups.flatMap(({ entries }) => entries.map(([shard]) => shard)));
  for (const [shard] of own) assert.ok(listed.has(shard));
  for (const [shard] of seen) {
    assert.ok(!listed.has(shard));
    for (const name of ["a", "b", "c"]) {
      const { shards } = made.sites.get(name)?.backups.holder ?? assert.fail(name);
      assert.ok((await shards.sizeOf({ owner: OWNER, set: SET, shard })) !== undefined);
    }
  }
  const { head, tips } = await again.backups.set(SET);
  assert.equal(head?.root, own[0]?.[0]);
  assert.deepEqual(
    tips.map(({ root }) => root),
    [seen[0]?.[0]],
  );
});

/** Tells whether a promise is settled. */
function settledFlag(promise: Promise<unknown>): () => boolean {
  let settled = false;
  const note = (): void => {
    settled = true;
  };
  promise.then(note, note);
  return () => settled;
}

test("a list of a site that may not write the set is refused, and nothing is stored", async (context) => {
  const { made } = await mesh(context, "home a b c");
  const rogue = await made.up("rogue");
  await made.pass(2000);
  made.delegate(rogue.id);
  await backUp(rogue, 1, [4096]);
  made.delegations.shift();
  await made.pass(60_000);
  for (const [name, site] of made.sites) {
    if (name !== "rogue") assert.deepEqual(site.backups.holder.lists.all(OWNER, SET), []);
  }
});

test("a listed shard that is nowhere is told as lost, one that another site has is not", async (context) => {
  const { made, home } = await mesh(context, "home a b c");
  const [kept] = await backUp(home, 1, [4096]);
  await untilSafe(made, home, 60_000);
  for (const name of ["a", "b", "c"]) await made.kill(name);
  const [gone] = await backUp(home, 2, [8192]);
  assert.ok(kept && gone);
  assert.deepEqual((await home.backups.set(SET)).lost, []);
  const shards = `${home.directory}/shards/${OWNER}/${SET}`;
  for (const [shard] of [kept, gone]) await rm(`${shards}/${shard.slice(0, 2)}/${shard}`);
  assert.deepEqual((await home.backups.set(SET)).lost, [gone[0]]);
});

test("nothing leaves over a line outside its hours, and all of it once they begin", async (context) => {
  const { made, home } = await mesh(context, "home a b c");
  made.opensAtMs.set("home", made.time.nowMs + 2 * 3_600_000);
  await backUp(home, 1, SIZES);
  await made.pass(60_000);
  await made.time.advance(3_600_000);
  assert.equal((await home.backups.copies(SET, false)).ownerSentBytes, 0);
  await made.time.advance(3_600_000);
  await untilSafe(made, home, 10 * 60_000);
  assert.equal((await home.backups.copies(SET, false)).ownerSentBytes, BYTES);
});

test("a holder whose line sleeps gets its copy from another holder when it wakes", async (context) => {
  const { made, home } = await mesh(context, "home a b c");
  made.opensAtMs.set("c", made.time.nowMs + 8 * 3_600_000);
  await backUp(home, 1, SIZES);
  await made.pass(60_000);
  const asleep = await home.backups.copies(SET, false);
  assert.equal(asleep.minReceipts, 2);
  assert.match(asleep.reasons.join(" "), /carries no copies at this hour; it goes on in 8 h/);
  for (let hour = 0; hour < 7; hour++) {
    await made.time.advance(3_600_000);
    await made.pass(1000);
  }
  assert.equal((await home.backups.copies(SET, false)).minReceipts, 2);
  await made.time.advance(3_600_000);
  await untilSafe(made, home, 60 * 60_000);
  // It was not gone round: the owner's line carried everything once.
  assert.equal((await home.backups.copies(SET, false)).ownerSentBytes, BYTES);
});

for (const killed of ["a", "home"]) {
  test(`a shard that was cut off near its end goes on there after a restart of ${killed}`, async (context) => {
    const { made, home } = await mesh(context, "home a");
    await backUp(home, 1, [4 * 1024 * 1024]);
    const partial = join(made.sites.get("a")?.directory ?? "", "partial");
    const arrivedBytes = async (): Promise<number> => {
      const [name] = await readdir(partial);
      return name === undefined ? 0 : (await stat(join(partial, name))).size;
    };
    while ((await arrivedBytes()) < 3.5 * 1024 * 1024) {
      await made.time.advance(1);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await made.kill(killed);
    const left = await arrivedBytes();
    assert.ok(left >= 3.5 * 1024 * 1024 && left < 4 * 1024 * 1024, `${left} bytes`);
    await made.up(killed);
    const again = made.sites.get("home");
    assert.ok(again);
    for (let turns = 0; (await again.backups.copies(SET, false)).minReceipts < 1; turns++) {
      assert.ok(turns < 400, "it went on");
      await made.pass(250);
    }
    const { ownerSentBytes } = await again.backups.copies(SET, false);
    // What was under way to it, two of the network's windows at most, comes again.
    assert.ok(ownerSentBytes <= 5 * 1024 * 1024, `${ownerSentBytes} bytes`);
  });
}

test("another site is chosen for one whose line never carries copies", async (context) => {
  const { made, home } = await mesh(context, "home a b c");
  made.opensAtMs.set("c", Number.POSITIVE_INFINITY);
  await backUp(home, 1, SIZES);
  await made.pass(30_000);
  assert.equal((await home.backups.copies(SET, false)).minReceipts, 2);
  await made.up("late");
  await untilSafe(made, home, 5 * 60_000);
  // Choosing anew cuts what is under way once: two of the network's windows at most.
  const { ownerSentBytes } = await home.backups.copies(SET, false);
  assert.ok(ownerSentBytes <= BYTES + 1024 * 1024, `${ownerSentBytes} of ${BYTES}`);
});
