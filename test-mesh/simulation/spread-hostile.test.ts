/** What a member that breaks the rules of `/pleach/shard/1` can do to a holder: nothing. */
import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { rawFrames } from "../../daemon/backup/store/lists/send-list.ts";
import type { Channel } from "../../daemon/core/transport.ts";
import {
  idOf,
  sha256,
  type ChainId,
  type MeshId,
  type SetId,
  type SiteId,
  type StatementId,
} from "../../protocol/ids.ts";
import {
  listId,
  openListHeader,
  signList,
  unpackEntries,
  type ListEntry,
  type SignedList,
} from "../../protocol/backup/list.ts";
import type { PlacedGroup } from "../../protocol/logs/packed-groups.ts";
import { placeRecords } from "../../protocol/logs/record-pages.ts";
import { NO_RULES } from "../../protocol/logs/record.ts";
import { openReceipt } from "../../protocol/backup/receipt.ts";
import { RANGE_BYTES, shardIdOf } from "../../protocol/backup/shard-id.ts";
import { rangeRoots } from "../../protocol/backup/shard-ranges.ts";
import {
  decodeHolderMessage,
  encodeOpenerMessage,
  SHARD_PROTOCOL,
  unpackBits,
  type HolderMessage,
  type OpenerMessage,
} from "../../protocol/messages/shard-message.ts";
import { signingKey } from "../../protocol/keys/signature.ts";
import { SeededRandom } from "../fakes/seeded-random.ts";
import { OWNER, SpreadMesh, type SimulatedSite } from "./spread-mesh.ts";

const SET = "00112233445566778899aabbccddeeff" as SetId;
const MESH = idOf<MeshId>(sha256("mesh"));
const NEWER = idOf<StatementId>(sha256("newer statement"));
const DAY_MS = 86_400_000;
const random = new SeededRandom(5);

/** A holder, and a site "home" without a daemon whose key and transport the test has itself. */
async function stage(context: TestContext, giveBytes?: number, dailyBytes?: number) {
  const made = await SpreadMesh.create(dailyBytes === undefined ? {} : { dailyBytes });
  context.after(() => made.end());
  const holder = await made.up("holder", giveBytes);
  await made.up("home");
  await made.kill("home");
  const key = signingKey(sha256("site home"));
  const home = made.sites.get("home");
  assert.ok(home);
  home.transport = made.network.join(home.id);
  made.delegate(home.id);
  await made.pass(3000);
  const open = async (): Promise<Channel> => {
    return made.time.resolve(home.transport.open(holder.id, SHARD_PROTOCOL, 5000));
  };
  return { made, holder, key, open };
}

function someShards(sizes: readonly number[]): { entries: ListEntry[]; bytes: Uint8Array[] } {
  const bytes = sizes.map((size) => random.bytes(size));
  const entries = bytes.map((one) => ({
    shard: shardIdOf(OWNER, SET, one),
    sizeBytes: one.length,
  }));
  return { entries, bytes };
}

function listOf(
  key = signingKey(sha256("site home")),
  entries: ListEntry[] = [],
  generation = 1,
  root?: Uint8Array,
  set = SET,
) {
  const head =
    root === undefined
      ? null
      : {
          ...{ chain: "ab".repeat(16) as ChainId, number: generation, previous: null, atMs: 1 },
          root: shardIdOf(OWNER, SET, root),
        };
  return signList(
    key,
    {
      ...{ mesh: MESH, owner: OWNER, set, group: 0, groups: 1, generation, previous: null },
      ...{ sealedName: new Uint8Array(), keyEpoch: 0, copies: 3, head },
    },
    entries,
  );
}

/** One conversation, with turns of fake time while waiting. */
class Talk {
  readonly #made: SpreadMesh;
  readonly #channel: Channel;

  constructor(made: SpreadMesh, channel: Channel) {
    this.#made = made;
    this.#channel = channel;
  }

  say(message: OpenerMessage): Promise<void> {
    return this.raw(encodeOpenerMessage(message));
  }

  async raw(frame: Uint8Array): Promise<void> {
    // On a channel that was cut there is nothing to hear either; that is where it shows.
    await this.#made.time.resolve(this.#channel.send(frame).catch(() => {}));
  }

  /** Bytes in the frames in which they go. */
  async bytes(bytes: Uint8Array): Promise<void> {
    for (const frame of rawFrames(bytes)) await this.raw(frame);
  }

  /** The next message that is no sign of life; "cut" when the holder has cut the channel. */
  async hear(): Promise<HolderMessage | "cut"> {
    for (;;) {
      let frame: Uint8Array | undefined;
      let over = false;
      const wait = this.#channel
        .receive(120_000)
        .then((got) => (frame = got))
        .catch(() => {})
        .finally(() => (over = true));
      await this.#made.until(() => over, 200_000, "an answer");
      await wait;
      if (frame === undefined) return "cut";
      const message = decodeHolderMessage(frame);
      if (message.k !== "wait") return message;
    }
  }

  offer({ header, signature }: SignedList): Promise<void> {
    return this.say({ k: "offer", v: 1, header, signature, chain: [] });
  }

  /** Offers a list with its entries, up to the holder's `want`. */
  async offerWhole(list: SignedList): Promise<HolderMessage | "cut"> {
    await this.offer(list);
    const need = await this.hear();
    if (need === "cut" || need.k !== "need") return need;
    if (need.known) return this.hear();
    const added = list.entries.length / 36;
    await this.say({ k: "entries", base: null, added, removed: 0 });
    if (added > 0) await this.raw(list.entries);
    return this.hear();
  }
}

async function filesOf({ directory }: SimulatedSite): Promise<string[]> {
  const all = await readdir(join(directory, "shards"), { recursive: true, withFileTypes: true });
  return all.filter((entry) => entry.isFile()).map(({ name }) => name);
}

test("a range that is not the shard's ends the transfer; the good ones before it stay", async (context) => {
  const { made, holder, open } = await stage(context);
  const { entries, bytes } = someShards([4096, 3 * RANGE_BYTES]);
  const list = listOf(undefined, entries);
  const sorted = unpackEntries(list.entries);
  const [small, large] = bytes;
  assert.ok(small !== undefined && large !== undefined);
  const indexOf = (one: Uint8Array): number => {
    return sorted.findIndex(({ shard }) => shard === shardIdOf(OWNER, SET, one));
  };
  const roots = rangeRoots(large);
  const begin = async (): Promise<{ talk: Talk; partial: unknown }> => {
    const talk = new Talk(made, await open());
    const want = await talk.offerWhole(list);
    assert.ok(want !== "cut" && want.k === "want");
    const known = await talk.hear();
    assert.ok(known !== "cut" && known.k === "receipt");
    return { talk, partial: want.partial };
  };
  // Roots that are another shard's, before a byte is taken.
  const first = await begin();
  await first.talk.say({ k: "shard", index: indexOf(large), from: 0, roots: rangeRoots(small) });
  assert.equal(await first.talk.hear(), "cut");
  // Two good ranges, then one of another shard.
  const second = await begin();
  assert.deepEqual(second.partial, []);
  await second.talk.say({ k: "shard", index: indexOf(small), from: 0, roots: rangeRoots(small) });
  await second.talk.bytes(small);
  const receipt = await second.talk.hear();
  assert.ok(receipt !== "cut" && receipt.k === "receipt" && receipt.receipts[0] !== undefined);
  assert.equal(openReceipt(receipt.receipts[0]).id, shardIdOf(OWNER, SET, small));
  await second.talk.say({ k: "shard", index: indexOf(large), from: 0, roots });
  await second.talk.bytes(large.subarray(0, RANGE_BYTES));
  await second.talk.bytes(large.subarray(RANGE_BYTES, 2 * RANGE_BYTES));
  await second.talk.bytes(random.bytes(RANGE_BYTES));
  assert.equal(await second.talk.hear(), "cut");
  assert.deepEqual(await filesOf(holder), [shardIdOf(OWNER, SET, small)]);
  // An honest sender sends the last range alone, and the holder signs for the whole shard.
  const third = await begin();
  assert.deepEqual(third.partial, [{ index: indexOf(large), bytes: 2 * RANGE_BYTES }]);
  const from = 2 * RANGE_BYTES;
  await third.talk.say({ k: "shard", index: indexOf(large), from, roots });
  await third.talk.bytes(large.subarray(from));
  const whole = await third.talk.hear();
  assert.ok(whole !== "cut" && whole.k === "receipt" && whole.receipts[0] !== undefined);
  assert.equal(openReceipt(whole.receipts[0]).id, shardIdOf(OWNER, SET, large));
});

test("a list of a stranger's key, of another mesh, or twice the same generation is refused", async (context) => {
  const { made, holder, open, key } = await stage(context);
  const { entries } = someShards([4096]);
  const foreign = await new Talk(made, await open()).offerWhole(
    listOf(signingKey(sha256("stranger")), entries),
  );
  assert.deepEqual(foreign, { k: "refuse", why: "right", value: 0 });
  assert.deepEqual(holder.backups.holder.lists.all(), []);
  await new Talk(made, await open()).offerWhole(listOf(key, entries, 5));
  await made.pass(100);
  for (const generation of [4, 5]) {
    const other = listOf(key, someShards([4096]).entries, generation);
    const answer = await new Talk(made, await open()).offerWhole(other);
    assert.deepEqual(answer, { k: "refuse", why: "newer", value: 5 });
  }
});

test("a member without the right ends nobody's transfer, however high its number", async (context) => {
  const { made, holder, open, key } = await stage(context);
  const rogue = await made.up("rogue");
  await made.pass(3000);
  const { entries, bytes } = someShards([8192]);
  const honest = new Talk(made, await open());
  const want = await honest.offerWhole(listOf(key, entries));
  assert.ok(want !== "cut" && want.k === "want");

  const channel = rogue.transport.open(holder.id, SHARD_PROTOCOL, 5000);
  const other = new Talk(made, await made.time.resolve(channel));
  await other.offer(listOf(signingKey(sha256("site rogue")), [], Number.MAX_SAFE_INTEGER));
  assert.equal(toText(await other.hear()), "refused: right");

  for (const [index, one] of bytes.entries()) {
    await honest.say({ k: "shard", index, from: 0, roots: rangeRoots(one) });
    await honest.raw(one);
  }
  await honest.say({ k: "done" });
  let last = await honest.hear();
  while (last !== "cut" && last.k === "receipt") last = await honest.hear();
  assert.equal(toText(last), "end");
});

test("a sender that drips is cut: a frame is as long as it can be", async (context) => {
  const { made, holder, open, key } = await stage(context);
  const { entries, bytes } = someShards([8192]);
  const [one = new Uint8Array()] = bytes;
  const talk = new Talk(made, await open());
  await talk.offerWhole(listOf(key, entries));
  await talk.say({ k: "shard", index: 0, from: 0, roots: rangeRoots(one) });
  const startMs = made.time.nowMs;
  await talk.raw(one.subarray(0, 1));
  let last = await talk.hear();
  while (last !== "cut" && last.k === "receipt") last = await talk.hear();
  assert.equal(toText(last), "cut");
  // Not by its silence.
  assert.ok(made.time.nowMs - startMs < 30_000);
  assert.deepEqual(await filesOf(holder), []);
});

test("a co-holder that sends nothing makes way for the list's own site after half an hour", async (context) => {
  const { made, holder, open, key } = await stage(context);
  const rogue = await made.up("rogue");
  await made.pass(3000);
  const { entries } = someShards([8192]);
  const list = listOf(key, entries);
  const targets = [rogue.id, holder.id];
  const group = { targets, generation: 1, list: listId(list.header), shards: 1, bytes: 8192 };
  made.putRecord({
    ...{ class: "place", author: homeOf(made), ...placing(group) },
    ...{ lamport: 1, seq: 1, conflicts: [], log: "" as never, versionId: "" as never },
  });
  const channel = rogue.transport.open(holder.id, SHARD_PROTOCOL, 5000);
  const squatter = new Talk(made, await made.time.resolve(channel));
  assert.equal(toText(await squatter.offerWhole(list)), "want");
  const answers: string[] = [];
  for (let step = 1; step <= 37; step++) {
    await squatter.say({ k: "wait" });
    await made.time.advance(50_000);
    if (step !== 34 && step !== 37) continue;
    answers.push(toText(await new Talk(made, await open()).offerWhole(list)));
  }
  assert.deepEqual(answers, ["refused: busy", "want"]);
});

test("whatever one member begins leaves room for others", async (context) => {
  const { made, holder, open, key } = await stage(context);
  const talks: string[] = [];
  for (let at = 0; at < 17; at++) {
    const set = idOf<SetId>(sha256(`set ${at}`).subarray(0, 16));
    const talk = new Talk(made, await open());
    talks.push(
      toText(await talk.offerWhole(listOf(key, someShards([4096]).entries, 1, undefined, set))),
    );
  }
  assert.deepEqual(new Set(talks.slice(0, 16)), new Set(["want"]));
  assert.equal(talks[16], "refused: busy");
  const second = await made.up("second");
  made.delegate(second.id);
  await made.pass(3000);
  const channel = second.transport.open(holder.id, SHARD_PROTOCOL, 5000);
  const other = new Talk(made, await made.time.resolve(channel));
  const list = listOf(signingKey(sha256("site second")), someShards([4096]).entries);
  assert.equal(toText(await other.offerWhole(list)), "want");
});

test("two members that hold all transfers make way for a third, up to its share", async (context) => {
  const { made, holder } = await stage(context);
  const bring = async (name: string, count: number): Promise<string[]> => {
    const site = made.sites.get(name) ?? (await made.up(name));
    made.delegate(site.id);
    await made.pass(3000);
    const answers: string[] = [];
    for (let at = 0; at < count; at++) {
      const channel = site.transport.open(holder.id, SHARD_PROTOCOL, 5000);
      const talk = new Talk(made, await made.time.resolve(channel));
      const set = idOf<SetId>(sha256(`set ${name} ${at}`).subarray(0, 16));
      const key = signingKey(sha256(`site ${name}`));
      const list = listOf(key, someShards([4096]).entries, 1, undefined, set);
      answers.push(toText(await talk.offerWhole(list)));
    }
    return answers;
  };
  for (const name of ["second", "third"]) {
    assert.deepEqual(new Set(await bring(name, 16)), new Set(["want"]));
  }
  const answers = await bring("fourth", 11);
  assert.deepEqual(new Set(answers.slice(0, 10)), new Set(["want"]));
  assert.equal(answers[10], "refused: busy");
});

test("a list that does not fit into what is lent is refused before a byte comes", async (context) => {
  const { made, holder, open } = await stage(context, 10_000);
  const { entries } = someShards([8192, 8192]);
  const answer = await new Talk(made, await open()).offerWhole(listOf(undefined, entries));
  assert.deepEqual(answer, { k: "refuse", why: "space", value: 10_000 });
  assert.deepEqual(holder.backups.holder.lists.all(), []);
  // The promise of room was given back.
  const small = await new Talk(made, await open()).offerWhole(
    listOf(undefined, someShards([8192]).entries),
  );
  assert.ok(small !== "cut" && small.k === "want");
});

test("whoever breaks the protocol is cut, and nothing of it is stored", async (context) => {
  const { made, holder, open } = await stage(context);
  const { entries, bytes } = someShards([4096, 8192]);
  const list = listOf(undefined, entries);
  const named = unpackEntries(list.entries)[0]?.shard;
  const roots = rangeRoots(
    bytes.find((one) => shardIdOf(OWNER, SET, one) === named) ?? new Uint8Array(),
  );
  const after = async (act: (talk: Talk) => Promise<void>): Promise<void> => {
    const talk = new Talk(made, await open());
    await talk.offerWhole(list);
    await talk.hear();
    await act(talk);
    assert.equal(await talk.hear(), "cut");
  };
  // Garbage, a message of the other side, a second offer.
  await after((talk) => talk.raw(random.bytes(100)));
  await after((talk) => talk.say({ k: "entries", base: null, added: 0, removed: 0 }));
  await after((talk) => talk.offer(list));
  // A shard that was not asked for, twice the same one, more bytes than it has.
  await after((talk) => talk.say({ k: "shard", index: 7, from: 0, roots }));
  await after((talk) => talk.say({ k: "shard", index: 0, from: 4096, roots }));
  await after(async (talk) => {
    await talk.say({ k: "shard", index: 0, from: 0, roots });
    await talk.raw(random.bytes(200_000));
  });
  assert.deepEqual(await filesOf(holder), []);
  // Entries that are not the signed ones.
  const talk = new Talk(made, await open());
  const other = listOf(undefined, someShards([4096, 8192]).entries);
  assert.equal(
    await talk.offerWhole({ ...listOf(undefined, entries, 2), entries: other.entries }),
    "cut",
  );
  // And an honest transfer still works.
  const honest = new Talk(made, await open());
  const want = await honest.offerWhole(list);
  assert.ok(want !== "cut" && want.k === "want");
  assert.equal(bytes.length, 2);
});

test("thousands of mutated messages end in a clean refusal each", async (context) => {
  const { made, holder, open } = await stage(context);
  const { header, signature } = listOf(undefined, someShards([4096]).entries);
  const good = encodeOpenerMessage({ k: "offer", v: 1, header, signature, chain: [] });
  for (let round = 0; round < 300; round++) {
    const bytes = Uint8Array.from(good);
    for (let flips = random.between(1, 4); flips > 0; flips--) {
      const at = random.between(0, bytes.length - 1);
      bytes[at] = random.between(0, 255);
    }
    const channel = await open();
    await channel.send(bytes.subarray(0, random.between(1, bytes.length)));
    channel.abort("next");
  }
  await made.pass(1000);
  assert.deepEqual(await filesOf(holder), []);
  assert.deepEqual(holder.backups.holder.lists.all(), []);
});

test("the last list that was filled is remembered while a newer one has gaps", async (context) => {
  const { made, holder, key, open } = await stage(context);
  const { entries, bytes } = someShards([4096]);
  const [shard] = bytes;
  assert.ok(shard);
  const { lists } = holder.backups.holder;
  const completeOne = (): Promise<number | undefined> =>
    lists.load(OWNER, SET, 0, "complete").then((list) => list?.header.generation);
  const first = new Talk(made, await open());
  await first.offerWhole(listOf(key, entries));
  await first.say({ k: "shard", index: 0, from: 0, roots: rangeRoots(shard) });
  await first.bytes(shard);
  await first.say({ k: "done" });
  for (let turns = 0; turns < 100 && (await completeOne()) === undefined; turns++) {
    await made.pass(200);
  }
  assert.equal(await completeOne(), 1);
  // The owner's site goes down for good in the middle of the next ones.
  for (const generation of [2, 3, 3]) {
    const next = listOf(key, [...entries, ...someShards([8192]).entries], generation);
    await new Talk(made, await open()).offerWhole(next);
    await made.pass(500);
  }
  assert.equal(lists.newest(OWNER, SET, 0)?.header.generation, 3);
  assert.equal(await completeOne(), 1);
});

/** Offers a list and sends every shard that is wanted; what the holder says in the end. */
async function sendAll(
  made: SpreadMesh,
  open: () => Promise<Channel>,
  { list, bytes }: { list: SignedList; bytes: readonly Uint8Array[] },
): Promise<{ sent: number; answer: string }> {
  const talk = new Talk(made, await open());
  const want = await talk.offerWhole(list);
  if (want === "cut" || want.k !== "want") return { sent: 0, answer: toText(want) };
  const byName = new Map(bytes.map((one) => [shardIdOf(OWNER, SET, one), one]));
  const entries = unpackEntries(list.entries);
  let sent = 0;
  for (const index of unpackBits(entries.length, want.bits)) {
    const one = byName.get(entries[index]?.shard ?? ("" as never));
    assert.ok(one);
    await talk.say({ k: "shard", index, from: 0, roots: rangeRoots(one) });
    await talk.bytes(one);
    sent++;
  }
  await talk.say({ k: "done" });
  for (;;) {
    const message = await talk.hear();
    if (message === "cut" || message.k === "end") return { sent, answer: toText(message) };
  }
}

function toText(message: HolderMessage | "cut"): string {
  if (message === "cut") return "cut";
  return message.k === "refuse" ? `refused: ${message.why}` : message.k;
}

test("a box that was taken over can neither crowd out nor use up numbers; an honest run fits", async (context) => {
  const SHARD = 4096;
  // A hundred shards are lent; five come in a day.
  const { made, holder, open, key } = await stage(context, 100 * SHARD, 5 * SHARD);
  const { lists, quota } = holder.backups.holder;
  const say = (entries: ListEntry[], bytes: Uint8Array[], generation: number) =>
    sendAll(made, open, { list: listOf(key, entries, generation, bytes[0]), bytes });

  // The first upload has no daily limit.
  const honest = someShards(Array.from({ length: 40 }, () => SHARD));
  assert.deepEqual(await say(honest.entries, honest.bytes, 1), { sent: 40, answer: "end" });
  await made.pass(500);

  // From then on a flood is what a day may bring, whatever it names.
  let generation = 2;
  const flood = someShards(Array.from({ length: 10 }, () => SHARD));
  assert.deepEqual(await say(flood.entries, flood.bytes, generation++), { sent: 5, answer: "end" });
  const more = someShards([SHARD]);
  assert.deepEqual(await say(more.entries, more.bytes, generation++), {
    sent: 0,
    answer: "refused: intake",
  });
  // Numbers that would leave none for others, and more than all that is lent.
  const huge = await say(more.entries, more.bytes, Number.MAX_SAFE_INTEGER);
  assert.equal(huge.answer, "refused: step");
  const named = { shard: honest.entries[0]?.shard ?? ("" as never), sizeBytes: 4 * 1024 * 1024 };
  assert.equal((await say([named], [], generation)).answer, "refused: space");
  // Day after day, until what it may use is used up; then nothing more comes.
  const all = [...flood.entries];
  const bytes = [...flood.bytes];
  for (let day = 0; day < 20; day++) {
    await made.time.advance(DAY_MS);
    const junk = someShards(Array.from({ length: 5 }, () => SHARD));
    const { sent } = await say([...all, ...junk.entries], [...bytes, ...junk.bytes], generation++);
    if (sent === 0) break;
    all.push(...junk.entries);
    bytes.push(...junk.bytes);
  }
  const floodedBytes = quota.usedBytes;
  assert.ok(floodedBytes >= 75 * SHARD && floodedBytes <= 90 * SHARD, `${floodedBytes / SHARD}`);

  // Everything of the honest list is here, and its head is remembered.
  const files = new Set(await filesOf(holder));
  for (const { shard } of honest.entries) assert.ok(files.has(shard));
  const past = await lists.past(OWNER, SET, 0);
  const heads = past.map(({ signed }) => openListHeader(signed.header, signed.signature).head);
  const root = shardIdOf(OWNER, SET, honest.bytes[0] ?? new Uint8Array());
  assert.ok(heads.some((head) => head?.root === root));

  // The owner's key names the site anew: the next honest run fits at once.
  made.delegate(homeOf(made), OWNER, NEWER);
  const next = someShards([SHARD, SHARD, SHARD]);
  const outcome = await say(
    [...honest.entries, ...next.entries],
    [...next.bytes, ...honest.bytes],
    generation++,
  );
  assert.deepEqual(outcome, { sent: 3, answer: "end" });
});

function homeOf(made: SpreadMesh): SiteId {
  const home = made.sites.get("home");
  assert.ok(home);
  return home.id;
}

test("only a site of the owner gets a shard in the hours in which a line sleeps", async (context) => {
  const { made, holder, key, open } = await stage(context);
  const { entries, bytes } = someShards([4096]);
  const other = await made.up("other");
  await made.pass(3000);
  const list = listOf(key, entries);
  assert.deepEqual(await sendAll(made, open, { list, bytes }), { sent: 1, answer: "end" });
  const home = made.sites.get("home");
  const shard = entries[0]?.shard;
  assert.ok(home !== undefined && shard !== undefined);
  const targets = [holder.id, other.id];
  const group = { targets, generation: 1, list: listId(list.header), shards: 1, bytes: 1 };
  made.putRecord({
    ...{ class: "place", author: home.id, ...placing(group) },
    ...{ lamport: 1, seq: 1, conflicts: [] },
    versionId: idOf(sha256("version")),
    log: idOf(sha256("log").subarray(0, 16)),
  });
  const ask = async (from: SimulatedSite, why: "restore" | "repair"): Promise<string> => {
    const channel = from.transport.open(holder.id, SHARD_PROTOCOL, 5000);
    const talk = new Talk(made, await made.time.resolve(channel));
    await talk.say({ k: "get", v: 1, owner: OWNER, set: SET, shard, from: 0, why });
    return toText(await talk.hear());
  };
  assert.equal(await ask(other, "repair"), "found");
  made.opensAtMs.set("holder", made.time.nowMs + 3_600_000);
  assert.equal(await ask(other, "repair"), "refused: hours");
  assert.equal(await ask(other, "restore"), "refused: hours");
  assert.equal(await ask(home, "repair"), "refused: hours");
  assert.equal(await ask(home, "restore"), "found");
});

/** The record that a site publishes for a set of one group. */
function placing(group: PlacedGroup) {
  const plain = { owner: OWNER, name: "", keyEpoch: 0, copies: 3, head: null, rules: NO_RULES };
  const [record] = placeRecords(SET, { ...plain, groupCount: 1, groups: [group] });
  return record ?? assert.fail();
}
