/**
 * What leaves the lists of a data set, between real daemons: the lock and who may object to a
 * shorter one, the word of a person, and the last shard that goes from every disk.
 *
 * Days of running time pass while a daemon does not run; it looks at what it keeps after its start.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import {
  accountsShape,
  copiesShape,
  keptShape,
  setDetailShape,
} from "../../daemon/control/shapes-backup.ts";
import { statusShape, type Status } from "../../daemon/control/shapes-status.ts";
import type { z } from "zod";
import { foundingFiles, phraseFile } from "../form.ts";
import { TestMesh } from "../harness.ts";
import { passDays } from "../pass-days.ts";
import type { TestSite } from "../test-site.ts";
import { waitFor } from "../wait.ts";

const LIMIT_MS = 60_000;
const MIB = 1024 * 1024;

let mesh: TestMesh;
let quimper: TestSite;
let brest: TestSite;
let set: string;
const kept = randomBytes(MIB);
const source = (): string => join(mesh.directory, "source");

before(async () => {
  mesh = await TestMesh.create();
  const [first, second] = await mesh.form(["quimper", "brest"], { dns: false, dht: false });
  assert.ok(first && second);
  [quimper, brest] = [first, second];
  mkdirSync(source());
  writeFileSync(join(source(), "kept"), kept);
  await quimper.pleach("backup", "add", "web", "--path", source(), "--copies", "1");
  ({ set } = (await backUp()) as { set: string });
});
after(() => mesh.close());

async function backUp() {
  const told = await quimper.pleach("backup", "run", "web");
  await untilCopies(String(told["set"]), ({ safe }) => safe);
  return told;
}

/** What its own site says of the copies of a set, once it is so. */
function untilCopies(of: string, isSo: (copies: z.infer<typeof copiesShape>) => boolean) {
  return waitFor("what is said of the copies", LIMIT_MS, async () => {
    const copies = await quimper.client.get(`/v1/backup/sets/${of}/copies`, copiesShape);
    if (!isSo(copies)) throw new Error(JSON.stringify(copies));
    return copies;
  });
}

async function later(site: TestSite, days: number): Promise<void> {
  await site.stop();
  await passDays(site.dataDirectory, days);
  await site.start();
}

async function keptAtBrest() {
  const { sets } = await brest.client.get("/v1/backup/kept", keptShape);
  return sets.find((one) => one.set === set) ?? assert.fail("brest keeps nothing");
}

/** What brest keeps, once it is so. */
function untilKept(
  what: string,
  isSo: (one: Awaited<ReturnType<typeof keptAtBrest>>) => boolean,
): ReturnType<typeof keptAtBrest> {
  return waitFor(what, LIMIT_MS, async () => {
    const one = await keptAtBrest();
    if (!isSo(one)) throw new Error(JSON.stringify(one));
    return one;
  });
}

/** What `pleach status` asks for at a site, once it asks for this; undefined: no more. */
function untilAsked(site: TestSite, what: RegExp, isThere = true): Promise<Status> {
  return waitFor(`${String(what)} at ${site.name}`, LIMIT_MS, async () => {
    const status = await site.client.get("/v1/status", statusShape);
    const isAsked = status.todo.some(({ text }) => what.test(text));
    if (isAsked !== isThere) throw new Error(JSON.stringify(status.todo));
    return status;
  });
}

function lock(days: number, phrase = "quimper") {
  const file = phraseFile(mesh.directory, phrase);
  return ["backup", "lock", "--days", String(days), "--phrase-file", file, "--yes"];
}

describe("what leaves the lists", { concurrency: false }, () => {
  it("is locked for less after fourteen days that everybody sees, by the owner's phrase alone", async () => {
    const foreign = await quimper.refused(...lock(60, "brest"));
    assert.deepEqual([foreign.exit, foreign.error["code"]], [5, "E-BACKUP-KEYS"]);
    const unclear = await quimper.refused("backup", "lock", "--days", "-3", "--yes");
    assert.equal(unclear.exit, 2);
    const told = await quimper.pleach(...lock(0));
    assert.deepEqual([told["before"], told["days"], told["isPending"]], [30, 0, true]);
    await quimper.pleach("wait", "--for", "mesh", "--timeout", "120s");
    await later(brest, 0);
    for (const site of [brest, quimper]) {
      const { areas } = await untilAsked(site, /for 0 days instead of 30; .* 14 days at 1 holder/);
      assert.ok(areas.some(({ name, state }) => name === "Locks" && state === "WARNING"));
    }
    const one = await keptAtBrest();
    assert.deepEqual([one.lockDays, one.pending?.days], [30, 0]);
    // What is locked for two weeks more at most is not safe.
    const { reasons } = await untilCopies(set, ({ safe }) => !safe);
    assert.match(reasons.join(" "), /brest keeps what lists name no more for 0 days; safe is 14/);
  });

  it("stays locked at every holder when an operator objects, and for good", async () => {
    const { operatorKey, passphrase } = foundingFiles(mesh.directory);
    const object = ["backup", "object", set.slice(0, 8), "--yes"];
    const phrase = ["--phrase-file", phraseFile(mesh.directory, "brest")];
    const foreign = await quimper.refused(...object, ...phrase);
    assert.deepEqual([foreign.exit, foreign.error["code"]], [5, "E-BACKUP-KEYS"]);
    const unknown = await quimper.refused("backup", "object", "ffffffffff", ...phrase, "--yes");
    assert.equal(unknown.error["code"], "E-BACKUP-UNKNOWN");
    const told = await quimper.pleach(
      ...[...object, "--operator-key", operatorKey, "--passphrase-file", passphrase],
    );
    assert.equal(told["everywhere"], true);
    for (const site of [quimper, brest]) {
      const { areas } = await untilAsked(site, /instead of 30/, false);
      assert.equal(
        areas.find(({ name }) => name === "Locks")?.text,
        "1 objected to, the longer lock stays",
      );
    }
    await later(brest, 20);
    const one = await untilKept("the objection", ({ pending }) => pending === null);
    assert.equal(one.lockDays, 30);
    const { holders } = await untilCopies(set, ({ safe }) => safe);
    assert.equal(holders[0]?.lockDays, 30);
    const longer = await quimper.pleach(...lock(60));
    assert.deepEqual([longer["before"], longer["isPending"]], [0, false]);
  });

  it("goes after lock and trash with the word of a person, from every disk, and nothing else", async () => {
    writeFileSync(join(source(), "dropped"), randomBytes(5 * MIB));
    await backUp();
    rmSync(join(source(), "dropped"));
    await backUp();
    const stored = [filesOf(quimper), filesOf(brest)] as const;
    await forgetOld();
    // A shard that is mostly dropped is stored anew in part by a run, and goes with what came before.
    await backUp();
    await forgetOld();
    await backUp();
    const listed = await listedShards();
    const gone = [...stored[0]].filter((shard) => !listed.has(shard));
    assert.ok(gone.length >= 2, "those of the dropped file");
    assert.ok(gone.every((shard) => stored[1].has(shard)));

    await later(brest, 61);
    await untilKept("the longer lock", ({ lockDays }) => lockDays === 60);
    await untilAsked(brest, /has shrunk by \d\d %/);
    await untilAsked(quimper, /brest keeps all that the lists dropped/);
    assert.deepEqual(missing(gone, brest), [], "nothing goes before somebody agrees");
    await brest.pleach("backup", "agree", set.slice(0, 8));
    await untilAsked(quimper, /brest keeps all/, false);
    await later(brest, 15);
    // At the site that wrote it, it needs no lock: the others have it.
    await later(quimper, 15);
    for (const site of [brest, quimper]) {
      await waitFor(`the last shard to go from ${site.name}`, LIMIT_MS, async () => {
        const left = gone.length - missing(gone, site).length;
        if (left > 0) throw new Error(`${left} of ${gone.length} are left`);
        return true;
      });
    }

    assert.deepEqual(missing([...listed], brest), []);
    const one = await untilKept("an empty trash", ({ trashBytes }) => trashBytes === 0);
    assert.equal(one.lockedBytes, 0);
    const ours = await accountWith(quimper);
    const theirs = await accountWith(brest);
    assert.deepEqual(theirs.weKeep, ours.keepsForUs);
    assert.equal(ours.keepsForUs.heldBytes, one.heldBytes);
    assert.ok(one.heldBytes < 2 * MIB);
    rmSync(join(quimper.dataDirectory, "shards", "shards"), { recursive: true });
    const to = join(mesh.directory, "restored");
    await quimper.pleach("restore", "web", "--to", to);
    assert.deepEqual(readFileSync(join(to, source(), "kept")), kept);
  });
});

/** Of some shards those that are not in a site's directory. */
function missing(shards: readonly string[], site: TestSite): string[] {
  const files = filesOf(site);
  return shards.filter((shard) => !files.has(shard));
}

/** Forgets all snapshots but the newest, which is what ages are counted from. */
async function forgetOld(): Promise<void> {
  const done = await quimper.pleach("backup", "forget", "web", "--within", "0s", "--yes");
  assert.equal((done["kept"] as unknown[]).length, 1);
}

async function accountWith(site: TestSite) {
  const { accounts } = accountsShape.parse(await site.pleach("backup", "accounts"));
  return accounts[0] ?? assert.fail(`${site.name} has no account`);
}

async function listedShards(): Promise<Set<string>> {
  const { groups } = await quimper.client.get(`/v1/backup/sets/${set}`, setDetailShape);
  return new Set(groups.flatMap(({ entries }) => entries.map(([shard]) => shard)));
}

/** The shards in a site's directory. */
function filesOf(site: TestSite): Set<string> {
  const root = join(site.dataDirectory, "shards", "shards");
  const all = readdirSync(root, { recursive: true, withFileTypes: true });
  return new Set(all.filter((entry) => entry.isFile()).map(({ name }) => name));
}
