/**
 * Holders that lose or withhold what they hold, in simulated time: found, told apart, repaired.
 *
 * 24 seconds stand for a day. A dishonest holder is a real one whose answers to audits are replaced
 * and that proves and mends nothing of its own accord, so that it never hears of its loss.
 */
import assert from "node:assert/strict";
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { AuditServer } from "../../daemon/backup/audit/audit-server.ts";
import type { AuditPace } from "../../daemon/core/backup/audit-pace.ts";
import type { Channel } from "../../daemon/core/transport.ts";
import { decodeAuditQuestion, encodeAuditAnswer } from "../../protocol/messages/audit-message.ts";
import {
  auditKey,
  auditPrefix,
  auditRecord,
  parseAuditKey,
  SCRUB_KEY,
  scrubRecord,
  type AuditFinding,
} from "../../protocol/logs/hold-record.ts";
import { idOf, sha256, type ChainId, type SetId, type ShardId } from "../../protocol/ids.ts";
import type { SiteId } from "../../protocol/ids.ts";
import { holdKey, holdRecord, placeRecord } from "../../protocol/logs/record.ts";
import { merkleProof, shardIdOf } from "../../protocol/backup/shard-id.ts";
import { SeededRandom } from "../fakes/seeded-random.ts";
import { OWNER, SpreadMesh, type SimulatedSite } from "./spread-mesh.ts";

const SET = "00112233445566778899aabbccddeeff" as SetId;
const CHAIN = "0123456789abcdef0123456789abcdef" as ChainId;
const DAY = 24_000;
const PACE: AuditPace = {
  everyMs: DAY,
  wholeMs: 4 * DAY,
  scrubMs: 1000 * DAY,
  patienceMs: DAY / 2,
  takeoverMs: DAY / 2,
};
const random = new SeededRandom(71);

interface Told {
  readonly asker: string;
  readonly finding: AuditFinding;
}

class AuditedMesh {
  readonly made: SpreadMesh;
  readonly shards: ShardId[] = [];

  private constructor(made: SpreadMesh) {
    this.made = made;
  }

  /** A set of shards that three of the named sites hold, and all have been proven once. */
  static async create(
    context: TestContext,
    names: string,
    sizes: readonly number[],
    pace: Partial<AuditPace> = {},
  ): Promise<AuditedMesh> {
    const made = await SpreadMesh.create({ pace: { ...PACE, ...pace } });
    context.after(() => made.end());
    for (const name of names.split(" ")) await made.up(name);
    const mesh = new AuditedMesh(made);
    const home = mesh.site("home");
    made.delegate(home.id);
    await made.pass(3000);
    await mesh.backUp(sizes);
    await mesh.untilTold("three proven holders", 2 * DAY, () => {
      const told = mesh.findings().filter(({ asker }) => asker === "home");
      return told.filter(({ finding }) => finding.provenAtMs !== null).length === 3;
    });
    return mesh;
  }

  site(name: string): SimulatedSite {
    const site = this.made.sites.get(name);
    assert.ok(site, name);
    return site;
  }

  nameOf(id: SiteId): string {
    return [...this.made.sites].find(([, site]) => site.id === id)?.[0] ?? id;
  }

  get holders(): readonly string[] {
    const place = this.made.records().find((entry) => entry.class === "place");
    const targets = placeRecord.parse(place?.value).groups[0]?.targets ?? [];
    return targets.map((id) => this.nameOf(id));
  }

  async backUp(sizes: readonly number[], set: SetId = SET): Promise<void> {
    const home = this.site("home");
    const add: [ShardId, number][] = [];
    for (const size of sizes) {
      const bytes = random.bytes(size);
      const shard = shardIdOf(OWNER, set, bytes);
      await home.backups.putShard(set, shard, bytes);
      add.push([shard, size]);
      if (set === SET) this.shards.push(shard);
    }
    const root = add[0]?.[0] ?? idOf<ShardId>(sha256("none"));
    await home.backups.commit(set, {
      ...{ owner: OWNER, sealedName: "c2VhbGVk", keyEpoch: 0, copies: 3, add, remove: [] },
      head: { chain: CHAIN, number: 1, previous: null, root, atMs: 1 },
    });
  }

  /** All that askers say about one holder, or about all. */
  findings(about?: string, set: SetId = SET): Told[] {
    return this.made.records().flatMap(({ key, author, value }) => {
      const site = key.startsWith(auditPrefix(OWNER, set)) ? parseAuditKey(key)?.site : undefined;
      if (site === undefined || (about !== undefined && this.nameOf(site) !== about)) return [];
      return [{ asker: this.nameOf(author), finding: { ...auditRecord.parse(value), site } }];
    });
  }

  pathOf(name: string, shard: ShardId): string {
    return join(this.site(name).directory, "shards", OWNER, SET, shard.slice(0, 2), shard);
  }

  async filesOf(name: string): Promise<ReadonlySet<string>> {
    const root = join(this.site(name).directory, "shards", OWNER, SET);
    const files = await readdir(root, { recursive: true }).catch(() => []);
    return new Set(files.map((file) => file.slice(3)).filter((file) => file.length === 64));
  }

  /**
   * From now on the site answers with what it finds, mends nothing and asks nobody: who asks of others
   * reads his own copies, and would find what is damaged.
   */
  async dishonest(name: string, serve?: (channel: Channel) => Promise<void>): Promise<void> {
    await this.made.endProofs(name);
    this.answersBy(name, serve);
  }

  /** From now on the site hears nothing of what others ask in vain; it goes on reading and asking. */
  answersBy(name: string, serve?: (channel: Channel) => Promise<void>): void {
    const server = new AuditServer(this.site(name).backups.holder, () => {});
    this.made.answers.set(name, serve ?? ((channel) => server.serve(channel)));
  }

  async untilTold(what: string, limitMs: number, condition: () => boolean): Promise<number> {
    const startMs = this.made.time.nowMs;
    while (!condition()) {
      if (this.made.time.nowMs - startMs > limitMs) {
        assert.fail(`${what} did not come about: ${JSON.stringify(this.findings())}`);
      }
      await this.made.pass(250);
    }
    return this.made.time.nowMs - startMs;
  }

  /** Waits until so many live sites beside these hold every shard. @returns their names. */
  async untilHeldBy(count: number, without: readonly string[]): Promise<readonly string[]> {
    const holding = (): string[] =>
      this.made.records().flatMap(({ class: c, key, author, value }) => {
        const name = this.nameOf(author);
        if (c !== "hold" || key !== holdKey(OWNER, SET) || without.includes(name)) return [];
        return holdRecord.parse(value).groups.length > 0 ? [name] : [];
      });
    await this.untilTold(`${count} holders`, 4 * DAY, () => holding().length >= count);
    for (const name of holding()) {
      const files = await this.filesOf(name);
      for (const shard of this.shards) assert.ok(files.has(shard), `${name} lacks ${shard}`);
    }
    return holding();
  }
}

const MANY = Array.from({ length: 40 }, () => 4096);

for (const [what, share] of [
  ["one of forty", 1 / 40],
  ["all", 1],
] as const) {
  test(`a holder that deletes ${what} is found, and a third copy is made elsewhere`, async (context) => {
    const mesh = await AuditedMesh.create(context, "home a b c d", MANY);
    const [bad = ""] = mesh.holders;
    await mesh.dishonest(bad);
    const gone = random.shuffled(mesh.shards).slice(0, Math.round(40 * share));
    for (const shard of gone) await rm(mesh.pathOf(bad, shard));
    const tookMs = await mesh.untilTold("the loss", 5 * DAY, () =>
      mesh.findings(bad).some(({ finding }) => finding.lostShards > 0),
    );
    context.diagnostic(`found and confirmed after ${(tookMs / DAY).toFixed(2)} days`);
    await mesh.untilHeldBy(3, [bad, "home"]);
    assert.ok(!mesh.holders.includes(bad));
  });
}

test("a flipped bit is found by asking for shards whole", async (context) => {
  const mesh = await AuditedMesh.create(context, "home a b c d", [1024 * 1024, 4096]);
  const [, bad = ""] = mesh.holders;
  await mesh.dishonest(bad);
  const [large] = mesh.shards;
  assert.ok(large);
  const bytes = await readFile(mesh.pathOf(bad, large));
  bytes[777_777] = (bytes[777_777] ?? 0) ^ 16;
  await writeFile(mesh.pathOf(bad, large), bytes);
  await mesh.untilTold("the failure", 5 * DAY, () =>
    mesh.findings(bad).some(({ finding }) => finding.lostShards === 1),
  );
  await mesh.untilHeldBy(3, [bad, "home"]);
});

test("an honest holder that lost shards gets them back from the others", async (context) => {
  const mesh = await AuditedMesh.create(context, "home a b c d", MANY);
  const [poor = ""] = mesh.holders;
  for (const shard of mesh.shards.slice(0, 30)) await rm(mesh.pathOf(poor, shard));
  for (let rounds = 0; (await mesh.filesOf(poor)).size < 40; rounds++) {
    assert.ok(rounds < 2000, "never mended");
    await mesh.made.pass(250);
  }
  await mesh.untilTold("the proof", 20 * DAY, () =>
    mesh.findings(poor).every(({ finding }) => finding.outcome === "proven"),
  );
});

test("answers with another shard, with an old one and with nonsense fail at once", async (context) => {
  const mesh = await AuditedMesh.create(context, "home a b c d", MANY);
  const [bad = ""] = mesh.holders;
  const other = random.bytes(4096);
  const leaf = { bytes: other, path: [...merkleProof(other, 0, 4096)] };
  await mesh.dishonest(bad, async (channel) => {
    for (;;) {
      const frame = await channel.receive(60_000);
      if (frame === undefined) break;
      const question = decodeAuditQuestion(frame);
      const answer =
        question.k === "leaves"
          ? { k: "leaves" as const, items: question.items.map(() => leaf) }
          : { k: "whole" as const, macs: question.shards.map(() => sha256("old")) };
      await channel.send(encodeAuditAnswer(answer));
    }
  });
  await mesh.untilTold("the loss of all", 4 * DAY, () =>
    mesh.findings(bad).some(({ finding }) => finding.lostShards === 40),
  );
  await mesh.untilHeldBy(3, [bad, "home"]);
});

test("a set is safe while its holders prove it, and both sides of an account show the same", async (context) => {
  const mesh = await AuditedMesh.create(context, "home a b c", [65_536, 4096]);
  const home = mesh.site("home");
  const { safe, holders } = await home.backups.copies(SET, false);
  assert.ok(safe);
  assert.deepEqual(
    holders.map(({ outcome, lacking, lockDays }) => ({ outcome, lacking, lockDays })),
    Array.from({ length: 3 }, () => ({ outcome: "proven", lacking: 0, lockDays: 30 })),
  );
  // The account is added up with each round.
  await mesh.untilTold("a second round", 2 * DAY, () =>
    home.backups.accounts().every(({ keepsForUs }) => keepsForUs.provenByteDays > 0),
  );
  const accounts = home.backups.accounts();
  assert.equal(accounts.length, 3);
  for (const { name, keepsForUs } of accounts) {
    const [theirs] = mesh.site(name).backups.accounts();
    assert.equal(theirs?.site, home.id);
    assert.deepEqual(theirs.weKeep, keepsForUs);
    assert.equal(keepsForUs.provenBytes, 65_536 + 4096);
    assert.ok(keepsForUs.provenByteDays <= keepsForUs.heldByteDays);
    assert.ok(keepsForUs.heldByteDays <= keepsForUs.givenByteDays);
  }

  // A holder that answers nothing any more: the copy does not count, and that is said.
  const [bad = ""] = mesh.holders;
  await mesh.dishonest(bad, async (channel) => {
    await channel.receive(1000);
    await channel.send(encodeAuditAnswer({ k: "refuse", why: "busy" }));
  });
  await mesh.untilTold("the refusal", 2 * DAY, () =>
    mesh
      .findings(bad)
      .some(({ asker, finding }) => asker === "home" && finding.outcome === "refused"),
  );
  const after = await home.backups.copies(SET, false);
  assert.equal(after.safe, false);
  assert.equal(after.atRisk, "2 of 3");
  assert.match(after.reasons.join(" "), new RegExp(`${bad} is there and does not answer`));
});

test("refused, silent and offline are told apart; only the first two become a loss by themselves", async (context) => {
  const mesh = await AuditedMesh.create(context, "home a b c d", MANY, { patienceMs: 6 * DAY });
  const [refuses = "", isSilent = "", isAway = ""] = mesh.holders;
  await mesh.dishonest(refuses, async (channel) => {
    await channel.receive(60_000);
    await channel.send(encodeAuditAnswer({ k: "refuse", why: "busy" }));
    await channel.end();
  });
  await mesh.dishonest(isSilent, async (channel) => {
    for (let frames = 0; frames < 9; frames++) await channel.receive(60_000);
  });
  await mesh.made.kill(isAway);
  const told = (name: string, outcome: string): boolean => {
    const home = mesh.findings(name).find(({ asker }) => asker === "home");
    return home?.finding.outcome === outcome;
  };
  await mesh.untilTold("three outcomes", 5 * DAY, () => {
    return told(refuses, "refused") && told(isSilent, "refused") && told(isAway, "offline");
  });
  assert.ok(mesh.findings().every(({ finding }) => finding.lostShards === 0));
  await mesh.untilTold("two losses and a silence", 40 * DAY, () => {
    const home = mesh.findings().filter(({ asker }) => asker === "home");
    const lost = home.filter(({ finding }) => finding.lostShards === 40);
    const silent = home.filter(({ finding }) => finding.silent && finding.lostShards === 0);
    return lost.length === 2 && silent.length === 1;
  });
});

test("the owner is dead and so is a holder: the others have a third copy made, and it is asked, too", async (context) => {
  const mesh = await AuditedMesh.create(context, "home a b c d", MANY);
  const [gone = "", first = "", second = ""] = mesh.holders;
  await mesh.made.kill("home");
  await mesh.made.kill(gone);
  const holders = await mesh.untilHeldBy(3, [gone, "home"]);
  const [newcomer = ""] = holders.filter((name) => name !== first && name !== second);
  assert.notEqual(newcomer, "");
  await mesh.untilTold("a proof of the new copy", 3 * DAY, () =>
    mesh.findings(newcomer).some(({ finding }) => finding.provenAtMs !== null),
  );
});

test("the owner is dead and a holder deletes: two co-holders prove it, and a third copy is made", async (context) => {
  const mesh = await AuditedMesh.create(context, "home a b c d e", MANY);
  const [bad = ""] = mesh.holders;
  await mesh.made.kill("home");
  await mesh.dishonest(bad);
  for (const shard of mesh.shards.slice(0, 10)) await rm(mesh.pathOf(bad, shard));
  await mesh.untilHeldBy(3, [bad, "home"]);
  // Back again, the owner takes the newcomer over, and sends nothing.
  const again = await mesh.made.up("home");
  await mesh.untilTold("the new target", 3 * DAY, () => !mesh.holders.includes(bad));
  const { ownerSentBytes } = await again.backups.copies(SET, false);
  assert.ok(ownerSentBytes <= 40 * 4096, `${ownerSentBytes}`);
});

test("one holder is left of all: it alone has two copies made", async (context) => {
  const mesh = await AuditedMesh.create(context, "home a b c d e", MANY);
  const [one = "", two = ""] = mesh.holders;
  for (const name of ["home", one, two]) await mesh.made.kill(name);
  await mesh.untilHeldBy(3, ["home", one, two]);
});

test("the one whose turn it is does not act: the next one does", async (context) => {
  const mesh = await AuditedMesh.create(context, "home a b c d", MANY);
  const [gone = ""] = mesh.holders;
  const [leader] = await leadersOf(mesh, gone);
  assert.ok(leader);
  await mesh.untilTold("what the first one says", 2 * DAY, () =>
    mesh.findings(gone).some(({ asker }) => asker === leader),
  );
  await mesh.made.kill("home");
  await mesh.made.kill(gone);
  // From now on it decides nothing; what it says about the silent site stands.
  await mesh.dishonest(leader);
  for (const entry of mesh.made.records()) {
    if (entry.key !== auditKey(OWNER, SET, mesh.site(gone).id)) continue;
    if (mesh.nameOf(entry.author) !== leader) continue;
    mesh.made.putRecord({ ...entry, value: { ...auditRecord.parse(entry.value), silent: true } });
  }
  const startMs = mesh.made.time.nowMs;
  await mesh.untilHeldBy(3, [gone, "home"]);
  assert.ok(mesh.made.time.nowMs - startMs >= PACE.patienceMs + PACE.takeoverMs);
});

async function leadersOf(mesh: AuditedMesh, gone: string): Promise<string[]> {
  const { rendezvousOrder } = await import("../../daemon/core/backup/repair-duty.ts");
  const ids = mesh.holders.filter((name) => name !== gone).map((name) => mesh.site(name).id);
  return rendezvousOrder({ owner: OWNER, set: SET, group: 0 }, ids).map((id) => mesh.nameOf(id));
}

test("an emptied holder whose owner is dead gets its copy from the others", async (context) => {
  const mesh = await AuditedMesh.create(context, "home a b c", MANY);
  const [poor = ""] = mesh.holders;
  await mesh.made.kill("home");
  await mesh.made.kill(poor);
  await rm(mesh.site(poor).directory, { recursive: true });
  mesh.site(poor).store = mesh.site(poor).store.copy();
  await mesh.made.up(poor);
  await mesh.untilTold("all files", 3 * DAY, () => true);
  for (let round = 0; round < 600; round++) {
    await mesh.made.pass(250);
    if ((await mesh.filesOf(poor)).size === 40) break;
  }
  assert.equal((await mesh.filesOf(poor)).size, 40);
});

test("a question that was put is put again after a restart, until it is answered", async (context) => {
  const mesh = await AuditedMesh.create(context, "home a b c", MANY);
  const [bad = ""] = mesh.holders;
  const asked: string[] = [];
  await mesh.dishonest(bad, async (channel) => {
    const frame = await channel.receive(60_000);
    if (frame !== undefined && channel.peer === mesh.site("home").id) {
      asked.push(Buffer.from(frame).toString("hex"));
    }
    channel.abort("no");
  });
  await mesh.untilTold("some questions", 3 * DAY, () => asked.length >= 3);
  await mesh.made.kill("home");
  await mesh.made.up("home");
  const before = asked.length;
  await mesh.untilTold("some more", 3 * DAY, () => asked.length >= before + 2);
  assert.equal(new Set(asked).size, 1);
});

test("a holder that takes its time over one set is asked for its other sets all the same", async (context) => {
  const mesh = await AuditedMesh.create(context, "home a b c", MANY);
  // One goes before it in the order of lists, one after it.
  const others = ["00", "ff"].map((byte) => byte.repeat(16) as SetId);
  for (const set of others) await mesh.backUp([4096, 4096], set);
  const [slow = ""] = mesh.holders;
  const server = new AuditServer(mesh.site(slow).backups.holder, () => {});
  await mesh.dishonest(slow, async (channel) => {
    const frame = await channel.receive(60_000);
    if (frame === undefined) return;
    let unread: Uint8Array | undefined = frame;
    const isSlow = decodeAuditQuestion(frame).set === SET;
    await server.serve({
      peer: channel.peer,
      send: async (answer) => {
        if (isSlow) await new Promise<void>((end) => mesh.made.time.clock().after(20_000, end));
        await channel.send(answer);
      },
      receive: async (timeoutMs) => {
        const next = unread ?? (await channel.receive(timeoutMs));
        unread = undefined;
        return next;
      },
      end: () => channel.end(),
      abort: (reason) => channel.abort(reason),
    });
  });
  const leaves = (set: SetId): number =>
    mesh.findings(slow, set).find(({ asker }) => asker === "home")?.finding.leaves ?? 0;
  const before = leaves(SET);
  await mesh.untilTold("two rounds of the slow one", 12 * DAY, () => leaves(SET) > before + 40);
  for (const set of others) assert.ok(leaves(set) > 2, set);
});

test("a holder that shows itself for a moment now and then is silent, and a copy is made elsewhere", async (context) => {
  const mesh = await AuditedMesh.create(context, "home a b c d", MANY);
  const [rare = ""] = mesh.holders;
  const { network, time, sites } = mesh.made;
  const others = [...sites.keys()].filter((name) => name !== rare);
  const limitMs = time.nowMs + 10 * DAY;
  while (mesh.holders.includes(rare)) {
    assert.ok(time.nowMs < limitMs, "never silent");
    for (const name of others) network.bar(mesh.site(rare).id, mesh.site(name).id);
    await mesh.made.pass(0.9 * PACE.patienceMs);
    for (const name of others) network.allow(mesh.site(rare).id, mesh.site(name).id);
    await mesh.made.pass(100);
  }
  await mesh.untilHeldBy(3, [rare, "home"]);
});

test("a peer whose link comes and goes keeps nobody from asking", async (context) => {
  const mesh = await AuditedMesh.create(context, "home a b c d", MANY);
  const [bad = ""] = mesh.holders;
  const flapping = ["a", "b", "c", "d"].find((name) => !mesh.holders.includes(name)) ?? "";
  await mesh.dishonest(bad);
  for (const shard of mesh.shards) await rm(mesh.pathOf(bad, shard));
  const isFound = (): boolean => mesh.findings(bad).some(({ finding }) => finding.lostShards > 0);
  const startMs = mesh.made.time.nowMs;
  while (!isFound()) {
    assert.ok(mesh.made.time.nowMs - startMs < 5 * DAY, "nobody asked");
    for (const other of mesh.made.sites.keys()) {
      if (other === flapping) continue;
      mesh.made.network.cut(mesh.site(flapping).id, mesh.site(other).id);
    }
    await mesh.made.pass(200);
  }
});

test("a site that waits for an answer stops at once, and does not call it a refusal", async (context) => {
  const mesh = await AuditedMesh.create(context, "home a b c", MANY);
  const [mute = ""] = mesh.holders;
  let asked = 0;
  await mesh.dishonest(mute, async (channel) => {
    await channel.receive(60_000);
    asked++;
    await channel.receive(60_000);
  });
  await mesh.untilTold("a question", 2 * DAY, () => asked > 0);
  const home = mesh.site("home");
  const startMs = mesh.made.time.nowMs;
  await home.proofs?.stop();
  assert.equal(mesh.made.time.nowMs, startMs);
  const told = mesh.findings(mute).find(({ asker }) => asker === "home");
  assert.equal(told?.finding.outcome, "proven");
});

test("a site that fetches what it lacks stops at once, whoever lets it wait", async (context) => {
  const mesh = await AuditedMesh.create(context, "home a b c", MANY);
  const [poor = ""] = mesh.holders;
  let waiting = 0;
  const mute = (channel: Channel): Channel => {
    const send = (): Promise<void> => {
      waiting++;
      return new Promise((_resolve, reject) => void channel.receive(60_000).catch(reject));
    };
    return { ...channel, peer: channel.peer, receive: (ms) => channel.receive(ms), send };
  };
  for (const name of mesh.made.sites.keys()) {
    if (name !== poor) mesh.made.distorted.set(name, mute);
  }
  for (const shard of mesh.shards) await rm(mesh.pathOf(poor, shard));
  await mesh.untilTold("a question for a shard", 4 * DAY, () => waiting > 0);
  const startMs = mesh.made.time.nowMs;
  await mesh.site(poor).proofs?.stop();
  assert.equal(mesh.made.time.nowMs, startMs);
});

test("own reading finds a flipped bit beside a missing file, tells of it and mends both", async (context) => {
  const quiet = { everyMs: 10_000 * DAY };
  const made = await SpreadMesh.create({ pace: { ...PACE, ...quiet, scrubMs: 2 * DAY } });
  context.after(() => made.end());
  for (const name of ["home", "a", "b", "c"]) await made.up(name);
  const home = made.sites.get("home");
  assert.ok(home);
  made.delegate(home.id);
  await made.pass(3000);
  const mesh = Reflect.construct(AuditedMesh, [made]) as AuditedMesh;
  await mesh.backUp(Array.from({ length: 20 }, () => 8192));
  await made.until(
    () => made.records().filter(({ key }) => key === holdKey(OWNER, SET)).length === 3,
    DAY,
    "three copies",
  );
  const [flipped, missing] = mesh.shards;
  assert.ok(flipped && missing);
  const [poor = ""] = mesh.holders;
  // Nobody's question may find it first: the disk is slower than the time of a simulation.
  mesh.answersBy(poor);
  const bytes = await readFile(mesh.pathOf(poor, flipped));
  bytes[5000] = (bytes[5000] ?? 0) ^ 1;
  await writeFile(mesh.pathOf(poor, flipped), bytes);
  await rm(mesh.pathOf(poor, missing));
  const scrubs = (): { damaged: number }[] =>
    made
      .records()
      .filter(({ key, author }) => key === SCRUB_KEY && author === mesh.site(poor).id)
      .map(({ value }) => scrubRecord.parse(value));
  // What is missing may be fetched with the damaged one before it is looked for.
  await mesh.untilTold("the report", 400 * DAY, () =>
    scrubs().some(({ damaged }) => damaged === 1),
  );
  for (let rounds = 0; rounds < 2000 && (await mesh.filesOf(poor)).size < 20; rounds++) {
    await made.pass(250);
  }
  assert.equal((await mesh.filesOf(poor)).size, 20);
  const after = await readFile(mesh.pathOf(poor, flipped));
  assert.equal(shardIdOf(OWNER, SET, after), flipped);
});
