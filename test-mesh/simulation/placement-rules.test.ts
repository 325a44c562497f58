/** Copies lie where their owner allows and holders lend, and what is no longer allowed moves. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import type { OwnRulesRecord } from "../../daemon/backup/store/own/own-rules.ts";
import { idOf, sha256, type ChainId, type SetId, type ShardId } from "../../protocol/ids.ts";
import { askKey } from "../../protocol/logs/hold-record.ts";
import { holdRecords } from "../../protocol/logs/record-pages.ts";
import { holdKey, holdRecord, placeRecord } from "../../protocol/logs/record.ts";
import { shardIdOf } from "../../protocol/backup/shard-id.ts";
import { SeededRandom } from "../fakes/seeded-random.ts";
import { OWNER, SpreadMesh, type SimulatedSite } from "./spread-mesh.ts";

const SET = "00112233445566778899aabbccddeeff" as SetId;
const CHAIN = "0123456789abcdef0123456789abcdef" as ChainId;
const random = new SeededRandom(12);
const RULES: OwnRulesRecord = { allow: [], deny: [], holders: null, local: "keep" };

/** Sites "a:FR" and so on; "home" writes the set. */
async function mesh(context: TestContext, sites: string, give: Record<string, object> = {}) {
  const made = await SpreadMesh.create();
  context.after(() => made.end());
  for (const [name, lending] of Object.entries(give)) made.lending.set(name, lending);
  for (const word of `home ${sites}`.split(" ")) await up(made, word);
  const home = made.sites.get("home");
  assert.ok(home);
  made.delegate(home.id);
  await made.pass(3000);
  return { made, home };
}

async function up(made: SpreadMesh, word: string): Promise<SimulatedSite> {
  const [name = "", country = ""] = word.split(":");
  made.domains.set(name, { country });
  return made.up(name);
}

async function backUp(home: SimulatedSite, number: number, sizes: readonly number[]) {
  const add: [ShardId, number][] = [];
  for (const size of sizes) {
    const bytes = random.bytes(size);
    const shard = shardIdOf(OWNER, SET, bytes);
    await home.backups.putShard(SET, shard, bytes);
    add.push([shard, size]);
  }
  const known = (await home.backups.sets()).find(({ setId }) => setId === SET);
  const root = add[0]?.[0] ?? idOf<ShardId>(sha256("none"));
  await home.backups.commit(SET, {
    ...{ owner: OWNER, sealedName: "c2VhbGVk", keyEpoch: 0, copies: 3, add, remove: [] },
    head: { chain: CHAIN, number, previous: known?.head?.root ?? null, root, atMs: 1 },
  });
  return add;
}

const copiesOf = (home: SimulatedSite) => home.backups.copies(SET, false);

/** Turns time until something holds. */
async function until(made: SpreadMesh, what: string, holds: () => Promise<boolean>): Promise<void> {
  const startMs = made.time.nowMs;
  while (!(await holds())) {
    if (made.time.nowMs - startMs > 120_000) assert.fail(`${what} did not come about`);
    await made.pass(250);
  }
}

async function targetsOf(made: SpreadMesh, home: SimulatedSite): Promise<string[]> {
  const { groups } = await home.backups.set(SET);
  const names = new Map([...made.sites].map(([name, { id }]) => [id as string, name]));
  return (groups[0]?.targets ?? []).map((id) => names.get(id) ?? id).toSorted();
}

test("nothing ever goes to a country that is not wanted, and the answer says where a site is missing", async (context) => {
  const { made, home } = await mesh(context, "a:FR b:DE c:US d");
  await home.backups.setRules(SET, { ...RULES, allow: ["FR", "DE"] });
  await backUp(home, 1, [8192]);
  await until(made, "two copies", async () => (await copiesOf(home)).safeCopies === 2);
  assert.deepEqual(await targetsOf(made, home), ["a", "b"]);
  const { reasons } = await copiesOf(home);
  assert.match(reasons[0] ?? "", /^Needs 1 more site in DE or FR that lends space/);
  for (const name of ["c", "d"]) {
    assert.equal(made.sites.get(name)?.backups.holder.lists.all().length, 0);
  }
  const place = made.records().find((entry) => entry.class === "place");
  assert.deepEqual(placeRecord.parse(place?.value).rules.allow, ["FR", "DE"]);
  await up(made, "e:DE");
  await until(made, "three copies", async () => (await copiesOf(home)).safe);
  assert.deepEqual(await targetsOf(made, home), ["a", "b", "e"]);
});

test("rules that change: who must go gets nothing new and stays until the others have everything", async (context) => {
  const { made, home } = await mesh(context, "a:FR b:DE c:US");
  const [first] = await backUp(home, 1, [8192]);
  await until(made, "three copies", async () => (await copiesOf(home)).safe);
  await home.backups.setRules(SET, { ...RULES, deny: ["US"] });
  const [late] = await backUp(home, 2, [4096]);
  await until(made, "two copies of the new", async () => (await copiesOf(home)).safeCopies === 2);
  await made.pass(5000);
  // Nobody takes its place: it stays, with what it has, and that is said.
  assert.deepEqual(await targetsOf(made, home), ["a", "b", "c"]);
  const shard = late?.[0] ?? assert.fail();
  const there = made.sites.get("c")?.backups.holder.shards;
  assert.equal(await there?.sizeOf({ owner: OWNER, set: SET, shard }), undefined);
  const waiting = await copiesOf(home);
  assert.equal(waiting.atRisk, "2 of 3");
  assert.match(waiting.concerns.join(" "), /c is in a country that is not wanted/);
  assert.match(waiting.reasons.join(" "), /Needs 1 more site not in US/);
  await up(made, "e:IE");
  /** Named sites that have what was there before the rule changed. */
  const named = async (): Promise<number> => {
    const { groups } = await home.backups.set(SET);
    const has = await Promise.all(
      [...made.sites.values()].map(async ({ id, backups }) => {
        const name = { owner: OWNER, set: SET, shard: first?.[0] ?? assert.fail() };
        const isNamed = groups[0]?.targets.includes(id) === true;
        return isNamed && (await backups.holder.shards.sizeOf(name)) !== undefined;
      }),
    );
    return has.filter((one) => one).length;
  };
  await until(made, "its end", async () => {
    assert.ok((await named()) >= 3, "a copy was given up before there was another");
    return !(await targetsOf(made, home)).includes("c");
  });
  assert.ok((await copiesOf(home)).safe);
  assert.deepEqual(await targetsOf(made, home), ["a", "b", "e"]);
});

test("named holders are the only ones; a name that nobody has is told", async (context) => {
  const { made, home } = await mesh(context, "a b c d e");
  const unknown = await home.backups.setRules(SET, { ...RULES, holders: ["b", "d", "f", "e"] });
  assert.deepEqual(unknown, ["f"]);
  await backUp(home, 1, [8192]);
  await until(made, "three copies", async () => (await copiesOf(home)).safe);
  assert.deepEqual(await targetsOf(made, home), ["b", "d", "e"]);
  assert.match((await copiesOf(home)).concerns.join(" "), /No member is called "f"/);
});

test("an offer is for those whom it names, and up to their cap; both sides show what waits", async (context) => {
  const other = idOf<typeof OWNER>(sha256("other"));
  const { made, home } = await mesh(context, "a b c d", {
    c: { capBytes: 100_000 },
    d: { to: [other] },
  });
  await backUp(home, 1, [65_536]);
  await until(made, "three copies", async () => (await copiesOf(home)).safe);
  await backUp(home, 2, [65_536]);
  await until(made, "the refusal", async () => {
    return (await copiesOf(home)).reasons.some((reason) => reason.includes("lends to it"));
  });
  const { reasons } = await copiesOf(home);
  assert.match(reasons.join(" "), /c keeps as much of this owner as it lends to it/);
  assert.match(reasons.join(" "), /1 lends nothing to this owner/);
  const there = made.sites.get("c")?.backups.lentToOwners();
  assert.equal(there?.[0]?.capBytes, 100_000);
  assert.equal(there[0]?.waitingFor, "cap");
  assert.equal(made.sites.get("d")?.backups.holder.lists.all().length, 0);
  // What it has stays.
  assert.equal(made.sites.get("c")?.backups.holder.lists.all().length, 1);
  made.lending.set("c", { capBytes: 200_000 });
  await made.pass(60_000);
  await until(made, "three copies", async () => {
    await made.pass(60_000);
    return (await copiesOf(home)).safe;
  });
});

test("receipts for what was let go are void, until it is held in full again", async (context) => {
  const { made, home } = await mesh(context, "a b c");
  await backUp(home, 1, [8192]);
  await until(made, "three copies", async () => (await copiesOf(home)).safe);
  const holder = made.sites.get("b") ?? assert.fail();
  const key = holdKey(OWNER, SET);
  const held = made
    .records()
    .find((entry) => entry.author === holder.id && entry.key === key && entry.class === "hold");
  assert.ok(held);
  const { storeId } = holdRecord.parse(held.value);
  const letGo = [{ group: 0, groups: 1 }];
  const [said] = holdRecords(OWNER, SET, { storeId, groups: [], letGo });
  made.putRecord({ ...held, value: said?.value ?? assert.fail() });
  const { atRisk, reasons } = await copiesOf(home);
  assert.equal(atRisk, "2 of 3");
  assert.match(reasons.join(" "), /b has not signed for everything yet \(2 pieces/);
  await until(made, "three copies", async () => (await copiesOf(home)).safe);
});

test("an own copy goes when all others have signed, and restores read from them", async (context) => {
  const { made, home } = await mesh(context, "a b c");
  await home.backups.setRules(SET, { ...RULES, local: "drop" });
  const [first] = await backUp(home, 1, [8192]);
  const shard = first?.[0] ?? assert.fail();
  const isHere = async (): Promise<boolean> =>
    (await home.backups.holder.shards.sizeOf({ owner: OWNER, set: SET, shard })) !== undefined;
  await home.backups.keeper.look();
  assert.ok(await isHere());
  await until(made, "three copies", async () => (await copiesOf(home)).safe);
  await home.backups.keeper.look();
  assert.ok(!(await isHere()));
  assert.equal((await copiesOf(home)).local, "drop");
  assert.ok((await copiesOf(home)).safe);
  assert.deepEqual((await home.backups.set(SET)).lost, []);
  const bytes = home.backups.getShard(SET, shard);
  let size = 0;
  bytes.then((got) => (size = got.length)).catch(() => {});
  await made.until(() => size > 0, 60_000, "the shard");
  assert.equal(size, 8192);
  // The next run goes on from there.
  await backUp(home, 2, [4096]);
  await until(made, "three copies", async () => (await copiesOf(home)).safe);
});

test("the owner is told where a person is asked", async (context) => {
  const { made, home } = await mesh(context, "a b c");
  await backUp(home, 1, [8192]);
  await until(made, "three copies", async () => (await copiesOf(home)).safe);
  const holder = made.sites.get("b") ?? assert.fail();
  const held = made.records().find(({ author }) => author === holder.id) ?? assert.fail();
  const asked = { class: "hold", key: askKey(OWNER, SET) } as const;
  made.putRecord({ ...held, ...asked, value: { fromBytes: 1000, toBytes: 400 } });
  assert.match((await copiesOf(home)).concerns.join(" "), /b keeps all .* \(60 % of the set\)/);
  const [set] = await home.backups.sets();
  assert.equal(set?.copies.asks.length, 1);
});
