import assert from "node:assert/strict";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { FakeTime } from "../../../test-mesh/fakes/clock.ts";
import { Founding, testKey } from "../../../test-mesh/fakes/founding.ts";
import { SeededRandom } from "../../../test-mesh/fakes/seeded-random.ts";
import { FakeDisk } from "../../../test-mesh/fakes/store.ts";
import type { Authority } from "../../core/authority/authority.ts";
import { authorize } from "../../core/authority/authorize.ts";
import { silentLogger } from "../../observe/log.ts";
import type { Head } from "../../../protocol/backup/head.ts";
import type { ChainId, OwnerId, SetId, ShardId } from "../../../protocol/ids.ts";
import {
  groupOf,
  openListHeader,
  signList,
  type ListEntry,
} from "../../../protocol/backup/list.ts";
import { shardIdOf } from "../../../protocol/backup/shard-id.ts";
import { ListStore, loadList } from "../store/lists/list-store.ts";
import { ShardStore } from "../store/shards/shard-store.ts";
import { Keeper } from "./keeper.ts";
import type { ToldLock } from "./ports.ts";
import { SetGates } from "./set-gate.ts";

const DAY_MS = 86_400_000;
const SET = "00112233445566778899aabbccddeeff" as SetId;
const CHAIN = "aa".repeat(16) as ChainId;

/** A holder of the sets that site "home" writes for owner "people", with a lock of 30 days. */
class Stage {
  readonly #clock = new FakeTime().clock();
  /** Its running time; how that is counted is the matter of running-time.test.ts. */
  nowMs = 0;
  readonly disk = new FakeDisk();
  readonly founding = new Founding();
  readonly home = this.founding.enrol("home");
  readonly holder = this.founding.enrol("holder");
  readonly owner: OwnerId = this.founding.own("people");
  readonly directory: string;
  readonly #random = new SeededRandom(3);
  removedBytes = 0;
  /** Groups that others hold in place of this holder. */
  readonly released = new Set<number>();
  /** Groups of which the mesh was told that they are gone. */
  readonly told: number[] = [];
  /** What the owner was told last: that somebody here is asked. */
  asked = false;
  /** Groups of the holder's own set that need not stay. */
  readonly spare = new Set<number>();
  /** The members know of a published set of the holder itself. */
  isPublished = false;
  /** Whose lists these are: of "home", or of the holder itself. */
  signer: "home" | "holder" = "home";
  shards!: ShardStore;
  lists!: ListStore;
  keeper!: Keeper;
  /** DELEGATEs that somebody who may has signed against. */
  readonly objections = new Set<string>();
  /** A DELEGATE that the members know as a shorter one that is pending. */
  open: string | undefined;
  /** No record can be written. */
  isFull = false;
  /** What all members are told of the lock. */
  toldLock: ToldLock | null = null;
  #generation = 0;
  #known: { count: number; authority: Authority } | undefined;

  constructor(directory: string) {
    this.directory = directory;
    this.founding.delegate("people", this.home);
  }

  /** Starts the holder, anew or again. */
  async up(): Promise<void> {
    const clock = this.#clock;
    const store = this.disk.open();
    const authority = (): Authority => this.#authority();
    const runningMs = (): number => this.nowMs;
    this.shards = await ShardStore.open(this.directory);
    this.lists = await ListStore.open(store, runningMs);
    this.keeper = await Keeper.open({
      ...{ store, shards: this.shards, lists: this.lists, gates: new SetGates(), authority },
      ...{ self: this.holder, runningMs, clock, log: silentLogger },
      isPublished: () => this.isPublished,
      words: {
        mayLetGo: ({ group }) => this.released.has(group),
        letGo: async ({ group }) => void this.told.push(group),
        tellAsked: async (_of, asked) => void (this.asked = asked !== null),
        isObjected: ({ statement }) => this.objections.has(statement),
        isOpen: ({ statement }) => statement === this.open || this.objections.has(statement),
        tellLock: async (_of, lock) => {
          if (this.isFull) throw new Error("the disk is full");
          this.toldLock = lock;
        },
        toldLocks: () => (this.toldLock === null ? [] : [{ owner: this.owner, set: SET }]),
      },
      spareGroups: async () => this.spare,
      onRemoved: (_of, bytes) => (this.removedBytes += bytes),
    });
  }

  async kill(): Promise<void> {
    this.disk.cutPower();
    await this.keeper.stop();
  }

  #authority(): Authority {
    const { statements } = this.founding;
    if (this.#known?.count !== statements.length) {
      this.#known = { count: statements.length, authority: authorize(statements) };
    }
    return this.#known.authority;
  }

  /** Time passes, with a look at the end of each part. */
  async pass(days: number, looks = days): Promise<void> {
    for (let look = 0; look < looks; look++) {
      this.nowMs += (days * DAY_MS) / looks;
      await this.keeper.look();
    }
  }

  async store(count: number, sizeBytes = 4096): Promise<ListEntry[]> {
    const entries: ListEntry[] = [];
    for (let at = 0; at < count; at++) {
      const bytes = this.#random.bytes(sizeBytes);
      const shard = shardIdOf(this.owner, SET, bytes);
      await this.shards.put({ owner: this.owner, set: SET, shard }, bytes);
      entries.push({ shard, sizeBytes });
    }
    return entries;
  }

  /** A list that names these is taken in. */
  async take(entries: readonly ListEntry[], root = entries[0]?.shard, groups = 1): Promise<void> {
    this.#generation++;
    const head: Head | null =
      root === undefined
        ? null
        : { chain: CHAIN, number: this.#generation, previous: null, root, atMs: 1 };
    const { founding, owner } = this;
    const about = { mesh: founding.meshId, owner, set: SET, groups, previous: null, head };
    const rest = { sealedName: new Uint8Array(), keyEpoch: 0, copies: 3 };
    const lists = Array.from({ length: groups }, (_none, group) => {
      const fields = { ...about, ...rest, group, generation: this.#generation };
      const part = entries.filter(({ shard }) => groupOf(shard, groups) === group);
      return loadList(signList(testKey(this.signer), fields, part));
    });
    await this.lists.put(lists);
    await this.keeper.look();
  }

  async here(entries: readonly ListEntry[]): Promise<number> {
    const names = await this.shards.names(this.owner, SET);
    return entries.filter(({ shard }) => names.has(shard)).length;
  }
}

async function stage(context: TestContext): Promise<Stage> {
  const directory = await mkdtemp(join(tmpdir(), "pleach-keep-"));
  context.after(() => rm(directory, { recursive: true, force: true }));
  const made = new Stage(directory);
  await made.up();
  context.after(() => made.keeper.stop());
  return made;
}

test("what lists drop goes after lock and trash, to the day, and nothing else does", async (context) => {
  const made = await stage(context);
  const entries = await made.store(20);
  await made.take(entries);
  await made.pass(100);
  const kept = entries.slice(2);
  await made.take(kept);
  await made.pass(1);
  await made.take([...kept, ...(await made.store(1))]);
  await made.pass(42);
  assert.equal(await made.here(entries), 20);
  await made.pass(2);
  assert.equal(await made.here(entries), 18);
  assert.equal(made.removedBytes, 2 * 4096);
  assert.equal(await made.here(kept), 18);
});

test("an owner that falls silent loses nothing, and one list alone deletes nothing", async (context) => {
  const made = await stage(context);
  const entries = await made.store(20);
  await made.take(entries);
  await made.pass(1000, 50);
  await made.take(entries.slice(1));
  await made.pass(1000, 50);
  assert.equal(await made.here(entries), 20);
});

test("a shard that a list names again is taken back from the trash", async (context) => {
  const made = await stage(context);
  const entries = await made.store(20);
  const rest = entries.slice(1);
  await made.take(entries);
  await made.take(rest);
  await made.take(rest, rest[1]?.shard);
  await made.pass(40);
  assert.equal(made.keeper.report()[0]?.trashBytes, 4096);
  await made.take(entries);
  assert.equal(made.keeper.report()[0]?.trashBytes, 0);
  await made.pass(100);
  assert.equal(await made.here(entries), 20);
});

test("lists of a box that was taken over let nothing go until a person agrees", async (context) => {
  const shrinking = [1, 0.81, 0.66, 0.54, 0.44, 0.36];
  const attacks: Record<string, (made: Stage, honest: readonly ListEntry[]) => Promise<void>> = {
    empty: async (made) => {
      await made.take([]);
      await made.take([]);
    },
    shrinking: async (made, honest) => {
      for (const share of shrinking) await made.take(honest.slice(0, honest.length * share));
    },
    slow: async (made, honest) => {
      for (const share of shrinking) {
        await made.take(honest.slice(0, honest.length * share));
        await made.pass(5);
      }
    },
    pretending: async (made) => {
      const names = Array.from({ length: 50 }, (_none, at) => ({
        shard: at.toString(16).padStart(64, "0") as ShardId,
        sizeBytes: 4096,
      }));
      await made.take(names);
      await made.take(names, names[1]?.shard);
      await made.pass(2);
    },
  };
  for (const [name, attack] of Object.entries(attacks)) {
    const made = await stage(context);
    const honest = await made.store(50);
    await made.take(honest);
    await made.pass(3);
    await attack(made, honest);
    await made.pass(200, 40);
    assert.equal(await made.here(honest), 50, name);
    const [kept] = made.keeper.report();
    assert.ok(kept?.asked, name);
    assert.equal(kept.asked.fromBytes, 50 * 4096);

    const of = { owner: made.owner, set: SET };
    assert.equal(await made.keeper.agree(of, false), true);
    await made.pass(13);
    assert.equal(await made.here(honest), 50, "it still goes through the trash");
    await made.pass(2);
    assert.ok((await made.here(honest)) < 50, name);
  }
});

test("the head of the last honest list is remembered after any number of others", async (context) => {
  const made = await stage(context);
  const honest = await made.store(30);
  for (const count of [10, 20, 30])
    await made.take(honest.slice(0, count), honest[count - 1]?.shard);
  const junk = await made.store(5);
  for (let at = 0; at < 40; at++) {
    await made.take(at % 2 === 0 ? [] : junk.slice(0, (at % 5) + 1));
    await made.pass(1);
  }
  const past = await made.lists.past(made.owner, SET, 0);
  const heads = past.map(({ signed }) => openListHeader(signed.header, signed.signature).head);
  assert.ok(heads.some((head) => head?.root === honest[29]?.shard));
  assert.equal(await made.here(honest), 30);
});

test("what is remembered of lists is forgotten again", async (context) => {
  const made = await stage(context);
  const entries = await made.store(20);
  for (let run = 0; run < 90; run++) {
    const [fresh] = await made.store(1);
    assert.ok(fresh);
    entries.push(fresh);
    await made.take(entries, fresh.shard);
    await made.pass(1);
  }
  const past = await made.lists.past(made.owner, SET, 0);
  assert.ok(past.length >= 43 && past.length <= 45, String(past.length));
  const counted = made.lists.storedBytes(made.owner);
  made.disk.catchUp();
  await made.kill();
  await made.up();
  assert.equal(made.lists.storedBytes(made.owner), counted);
});

test("a group that others hold goes after lock and trash; the other one stays, and nobody is asked", async (context) => {
  const made = await stage(context);
  const entries = await made.store(40);
  await made.take(entries, entries[0]?.shard, 2);
  await made.pass(3);
  made.released.add(1);
  await made.pass(43);
  assert.equal(await made.here(entries), 40);
  assert.equal(made.keeper.report()[0]?.letGo?.groups, 1);
  // Not for a while: it begins anew.
  made.released.delete(1);
  await made.pass(1);
  assert.equal(made.keeper.report()[0]?.letGo, null);
  made.released.add(1);
  await made.pass(44);
  assert.equal(await made.here(entries), 40);
  assert.deepEqual(made.told, []);
  await made.pass(2);
  const stays = entries.filter(({ shard }) => groupOf(shard, 2) === 0);
  assert.equal(await made.here(entries), stays.length);
  assert.equal(await made.here(stays), stays.length);
  assert.deepEqual(made.told, [1]);
  assert.equal(made.removedBytes, (40 - stays.length) * 4096);
  await made.pass(100);
  assert.equal(made.keeper.report()[0]?.asked, null);
  assert.equal(await made.here(stays), stays.length);
});

test("a set that was let go as a whole is gone, with its lists, also after a restart", async (context) => {
  const made = await stage(context);
  const entries = await made.store(10);
  await made.take(entries);
  await made.take(entries.slice(1));
  made.released.add(0);
  await made.pass(45);
  made.disk.catchUp();
  await made.kill();
  await made.up();
  await made.pass(2);
  assert.equal(made.lists.all().length, 0);
  assert.equal(made.lists.storedBytes(made.owner), 0);
  await made.pass(45);
  assert.equal(await made.here(entries), 0);
  assert.deepEqual(made.keeper.report(), []);
});

test("an own set may lie with others alone", async (context) => {
  const made = await stage(context);
  made.signer = "holder";
  made.founding.delegate("people", made.holder);
  made.isPublished = true;
  const entries = await made.store(6);
  await made.take(entries);
  await made.pass(1);
  assert.equal(await made.here(entries), 6);
  made.spare.add(0);
  await made.pass(1);
  assert.equal(await made.here(entries), 0);
  assert.equal(made.lists.all().length, 1);
});

test("the owner is told that a person here is asked, and when nobody is any more", async (context) => {
  const made = await stage(context);
  const entries = await made.store(20);
  await made.take(entries);
  await made.pass(1);
  assert.equal(made.asked, false);
  await made.take(entries.slice(10));
  await made.pass(2);
  assert.equal(made.asked, true);
  await made.keeper.agree({ owner: made.owner, set: SET }, false);
  assert.equal(made.asked, false);
});

test("a set that splits loses nothing and asks nobody", async (context) => {
  const made = await stage(context);
  const entries = await made.store(64);
  await made.take(entries);
  await made.pass(3);
  await made.take(entries, entries[0]?.shard, 2);
  await made.take(entries, entries[1]?.shard, 4);
  await made.pass(60);
  assert.equal(await made.here(entries), 64);
  assert.equal(made.keeper.report()[0]?.asked, null);
});

test("a shorter lock waits fourteen days, and an objection ends the wait", async (context) => {
  const made = await stage(context);
  const entries = await made.store(20);
  await made.take(entries);
  made.founding.delegate("people", made.home, null, 0);
  await made.pass(1);
  assert.deepEqual(made.keeper.report()[0]?.pending?.days, 0);
  assert.equal(made.keeper.report()[0]?.lockDays, 30);
  await made.keeper.object({ owner: made.owner, set: SET });
  await made.pass(30);
  assert.equal(made.keeper.report()[0]?.lockDays, 30);
  made.founding.delegate("people", made.home, null, 1);
  await made.pass(13);
  assert.equal(made.keeper.report()[0]?.lockDays, 30);
  await made.pass(3);
  assert.equal(made.keeper.report()[0]?.lockDays, 1);
});

test("a lock is told to all, and a signed objection holds after a restart and for good", async (context) => {
  const made = await stage(context);
  const entries = await made.store(20);
  const shown = (): ToldLock | null => made.toldLock;
  await made.take(entries);
  assert.deepEqual(shown(), { days: 30, pending: null });
  const statement = made.founding.delegate("people", made.home, null, 7);
  await made.pass(1);
  assert.deepEqual(shown(), { days: 30, pending: { days: 7, statement, leftDays: 14 } });
  await made.pass(10);
  assert.equal(shown()?.pending?.leftDays, 4);
  made.objections.add(statement);
  await made.keeper.look();
  assert.deepEqual(shown(), { days: 30, pending: null });
  // Whoever told of it, and whoever signed, is gone again; the holder remembers.
  made.objections.clear();
  await made.kill();
  await made.up();
  await made.pass(60);
  assert.equal(made.keeper.report()[0]?.lockDays, 30);
  assert.deepEqual(shown(), { days: 30, pending: null });
  // The owner insists: that begins anew, and takes its fourteen days.
  made.founding.delegate("people", made.home, null, 7);
  await made.pass(13);
  assert.equal(made.keeper.report()[0]?.lockDays, 30);
  await made.kill();
  await made.up();
  await made.pass(2);
  assert.equal(made.keeper.report()[0]?.lockDays, 7);
  // A longer one counts at once; objecting to it means nothing.
  made.objections.add(made.founding.delegate("people", made.home, null, 60));
  await made.keeper.look();
  assert.equal(made.keeper.report()[0]?.lockDays, 60);
});

test("a holder that is new to a set begins with the longer lock while the shorter one is open", async (context) => {
  for (const how of ["pending", "objected"] as const) {
    const made = await stage(context);
    const shorter = made.founding.delegate("people", made.home, null, 7);
    if (how === "pending") made.open = shorter;
    else made.objections.add(shorter);
    await made.take(await made.store(3));
    await made.keeper.noteHeld({ owner: made.owner, set: SET }, 3);
    assert.equal(made.keeper.report()[0]?.lockDays, 30, how);
    // Elsewhere it counts by then.
    made.open = undefined;
    await made.pass(13);
    assert.equal(made.keeper.report()[0]?.lockDays, 30, how);
    await made.pass(3);
    assert.equal(made.keeper.report()[0]?.lockDays, how === "pending" ? 7 : 30);
  }
  const later = await stage(context);
  later.founding.delegate("people", later.home, null, 7);
  await later.take(await later.store(3));
  await later.keeper.look();
  assert.equal(later.keeper.report()[0]?.lockDays, 7, "nobody knows of a longer one any more");
});

test("a site's own key shortens nothing, and revoking the owner's site ends no lock", async (context) => {
  const made = await stage(context);
  const entries = await made.store(20);
  await made.take(entries);
  await made.take(entries);
  // The key of the hacked box signs what only the owner's may.
  const { founding } = made;
  founding.delegate("people", made.home, null, 0, testKey("home"));
  await made.pass(20);
  assert.equal(made.keeper.report()[0]?.lockDays, 30);
  assert.deepEqual(made.toldLock, { days: 30, pending: null });
  // Lists that drop everything, then the site is expelled: the lock runs on.
  await made.take([]);
  await made.take([]);
  founding.epoch({ revokes: [{ site: made.home, logs: [] }] });
  await made.keeper.agree({ owner: made.owner, set: SET }, true);
  await made.pass(43);
  assert.equal(await made.here(entries), 20);
  assert.equal(made.keeper.report()[0]?.lockDays, 30);
  await made.pass(2);
  assert.equal(await made.here(entries), 0);
});

test("what may go goes while no record can be written, and a set that is gone is told of no more", async (context) => {
  const made = await stage(context);
  const entries = await made.store(20);
  await made.take(entries);
  await made.take(entries.slice(0, 18));
  await made.take(entries.slice(0, 18));
  made.isFull = true;
  made.founding.delegate("people", made.home, null, 60);
  made.founding.delegate("people", made.home, null, 61);
  await made.pass(76);
  assert.equal(await made.here(entries), 18);
  assert.equal(made.keeper.report()[0]?.trouble, null);
  made.isFull = false;
  await made.keeper.look();
  assert.equal(made.toldLock?.days, 61);
  const { owner } = made;
  await made.lists.letGo(owner, SET, 0, []);
  await made.keeper.look();
  assert.equal(made.toldLock, null);
});

test("strays of a crash go after lock and trash; without any list nothing goes", async (context) => {
  const made = await stage(context);
  const strays = await made.store(3);
  await made.pass(200, 20);
  assert.equal(await made.here(strays), 3);
  await made.take(await made.store(10));
  await made.pass(43);
  assert.equal(await made.here(strays), 3);
  await made.pass(3);
  assert.equal(await made.here(strays), 0);
});

test("own lists let go what they dropped after the trash alone", async (context) => {
  const made = await stage(context);
  made.signer = "holder";
  const entries = await made.store(10);
  await made.take(entries);
  const unpublished = await made.store(1);
  await made.take(entries.slice(8));
  await made.take(entries.slice(8), entries[9]?.shard);
  await made.pass(13);
  assert.equal(await made.here(entries), 10);
  await made.pass(3);
  assert.equal(await made.here(entries), 2);
  assert.equal(await made.here(unpublished), 0);
});

test("a first run that never ended leaves nothing, unless the members know its set", async (context) => {
  const made = await stage(context);
  made.founding.delegate("people", made.holder);
  made.isPublished = true;
  const entries = await made.store(3);
  await made.pass(60, 6);
  assert.equal(await made.here(entries), 3);
  made.isPublished = false;
  await made.pass(13);
  assert.equal(await made.here(entries), 3);
  await made.pass(2);
  assert.equal(await made.here(entries), 0);
});

test("a list or a difference that cannot be read ends in nothing, and is told", async (context) => {
  for (const what of ["newest", "past"]) {
    const made = await stage(context);
    const entries = await made.store(20);
    await made.take(entries);
    await made.take(entries.slice(1));
    await made.take(entries.slice(1), entries[2]?.shard);
    await made.kill();
    const key = [...made.disk.content.keys()].find((one) => one.startsWith(`backup/list/${what}/`));
    assert.ok(key);
    made.disk.content.set(key, Buffer.from("damaged"));
    await made.up();
    await made.pass(100, 20);
    assert.equal(await made.here(entries), 20, what);
    if (what === "past") assert.ok(made.keeper.report()[0]?.trouble);
  }
});

test("killed anywhere while it deletes, it goes on and leaves no file and no note", async (context) => {
  const made = await stage(context);
  const entries = await made.store(40);
  await made.take(entries);
  await made.take(entries.slice(8));
  await made.take(entries.slice(8), entries[9]?.shard);
  await made.pass(30, 10);
  for (let round = 0; round < 20; round++) {
    const remove = made.shards.remove.bind(made.shards);
    let left = round % 3;
    made.shards.remove = async (name) => {
      if (left-- === 0) throw new Error("killed");
      return remove(name);
    };
    made.nowMs += DAY_MS;
    await made.keeper.look();
    await made.kill();
    await made.up();
  }
  await made.pass(60, 30);
  assert.equal(await made.here(entries.slice(0, 8)), 0);
  assert.equal(await made.here(entries), 32);
  const notes = [...made.disk.content.keys()].filter((key) => key.includes("/stray/"));
  assert.deepEqual(notes, []);
  assert.deepEqual(await readdir(join(made.directory, "incoming")), []);
});
