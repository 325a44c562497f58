/**
 * What leaves the lists of a data set, between real daemons: the lock, and who may object to a
 * shorter one.
 *
 * Days of running time pass while a daemon does not run; it looks at what it keeps after its start.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { copiesShape, keptShape } from "../../daemon/control/shapes-backup.ts";
import { statusShape, type Status } from "../../daemon/control/shapes-status.ts";
import { foundingFiles, phraseFile } from "../form.ts";
import { TestMesh } from "../harness.ts";
import { passDays } from "../pass-days.ts";
import type { TestSite } from "../test-site.ts";
import { waitFor } from "../wait.ts";

const LIMIT_MS = 60_000;

let mesh: TestMesh;
let quimper: TestSite;
let brest: TestSite;
let set: string;
const source = (): string => join(mesh.directory, "source");

before(async () => {
  mesh = await TestMesh.create();
  const [first, second] = await mesh.form(["quimper", "brest"], { dns: false, dht: false });
  assert.ok(first && second);
  [quimper, brest] = [first, second];
  mkdirSync(source());
  writeFileSync(join(source(), "kept"), randomBytes(1000));
  await quimper.pleach("backup", "add", "web", "--path", source(), "--copies", "1");
  ({ set } = (await backUp()) as { set: string });
});
after(() => mesh.close());

async function backUp() {
  const told = await quimper.pleach("backup", "run", "web");
  await waitFor("the copy", LIMIT_MS, async () => {
    const path = `/v1/backup/sets/${String(told["set"])}/copies`;
    const copies = await quimper.client.get(path, copiesShape);
    if (!copies.safe) throw new Error(JSON.stringify(copies));
    return true;
  });
  return told;
}

async function later(site: TestSite, days: number): Promise<void> {
  await site.stop();
  await passDays(site.dataDirectory, days);
  await site.start();
}

async function keptAtBrest() {
  const { sets } = keptShape.parse(await brest.pleach("backup", "kept"));
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
  it("is locked for longer at once, by the owner's phrase alone", async () => {
    const foreign = await quimper.refused(...lock(60, "brest"));
    assert.deepEqual([foreign.exit, foreign.error["code"]], [5, "E-BACKUP-KEYS"]);
    const unclear = await quimper.refused("backup", "lock", "--days", "-3", "--yes");
    assert.equal(unclear.exit, 2);
    const told = await quimper.pleach(...lock(60));
    assert.deepEqual([told["before"], told["days"], told["isPending"]], [30, 60, false]);
    await quimper.pleach("wait", "--for", "mesh", "--timeout", "30s");
    await later(brest, 0);
    await untilKept("the longer lock", ({ lockDays }) => lockDays === 60);
  });

  it("is locked for less after fourteen days that everybody sees", async () => {
    const told = await quimper.pleach(...lock(0));
    assert.deepEqual([told["before"], told["isPending"]], [60, true]);
    await quimper.pleach("wait", "--for", "mesh", "--timeout", "30s");
    await later(brest, 0);
    for (const site of [brest, quimper]) {
      const { areas } = await untilAsked(site, /for 0 days instead of 60; .* 14 days at 1 holder/);
      assert.ok(areas.some(({ name, state }) => name === "Locks" && state === "WARNING"));
    }
    const one = await keptAtBrest();
    assert.deepEqual([one.lockDays, one.pending?.days], [60, 0]);
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
      const { areas } = await untilAsked(site, /instead of 60/, false);
      assert.equal(
        areas.find(({ name }) => name === "Locks")?.text,
        "1 objected to, the longer lock stays",
      );
    }
    await later(brest, 20);
    const one = await untilKept("the objection", ({ pending }) => pending === null);
    assert.equal(one.lockDays, 60);
  });
});
