/**
 * A new box with the phrase gets lists and shards: through provider records alone, kept from all
 * `place` and `hold` logs, and through the state alone, with kad-dht off everywhere.
 */
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { readFile, rm } from "node:fs/promises";
import { test } from "node:test";
import { aboutShape } from "../../daemon/control/shapes.ts";
import {
  recoverEndedShape,
  recoverStartedShape,
  recoverStatusShape,
} from "../../daemon/control/shapes-backup.ts";
import { peerIdOf } from "../../daemon/mesh/peer-id.ts";
import { parseId, type SiteId } from "../../protocol/ids.ts";
import { deriveOwnerKeys } from "../../protocol/keys/owner-keys.ts";
import { parseRecoverySheet } from "../../protocol/keys/recovery-sheet.ts";
import { phraseFile } from "../form.ts";
import { withMesh, type TestMesh } from "../harness.ts";
import { StoredSet } from "../stored-set.ts";
import type { TestSite } from "../test-site.ts";
import { waitFor } from "../wait.ts";

const MIB = 1024 * 1024;

type Via = "state" | "dht" | "any";

async function begin(box: TestSite, sheet: string, members: readonly string[], via: Via) {
  const { root, meshId } = parseRecoverySheet(await readFile(sheet, "utf8"));
  const seed = Buffer.from(deriveOwnerKeys(root).recoverySeed).toString("base64");
  const body = { meshId, members, recoverySeed: seed, via };
  const { session } = await box.client.post("/v1/recover", body, recoverStartedShape);
  return session;
}

async function finished(box: TestSite, session: string) {
  return waitFor("the recovery", 60_000, async () => {
    const status = await box.client.get(`/v1/recover/${session}`, recoverStatusShape);
    return status.state !== "asking" && status;
  });
}

/** The address of a site as a recovery sheet has it. */
async function addressOf(site: TestSite): Promise<string> {
  const { siteId } = await site.client.get("/v1/about", aboutShape);
  const key = parseId<SiteId>(siteId);
  assert.ok(key);
  return `/ip4/${site.address}/tcp/${site.meshPort}/p2p/${peerIdOf(key).toString()}`;
}

async function recoverAll(mesh: TestMesh, via: Via): Promise<void> {
  const [quimper, ...others] = mesh.sites;
  assert.ok(quimper);
  const set = await StoredSet.create(quimper);
  await set.backUp([4 * MIB, 65_536]);
  await set.backUp([8192]);
  await set.untilSafe(60_000);

  // Only the member that holds nothing is named to the box: it has to find the holders.
  const { groups } = await set.detail();
  const abouts = await Promise.all(
    others.map(async (site) => ({ site, ...(await site.client.get("/v1/about", aboutShape)) })),
  );
  const empty = abouts.find(({ siteId }) => !groups[0]?.targets.includes(siteId));
  assert.ok(empty);
  const address = await addressOf(empty.site);
  await quimper.kill();
  await rm(quimper.directory, { recursive: true });

  const box = await mesh.site("box", { dht: via !== "state" });
  await box.start();
  const sheet = phraseFile(mesh.directory, "quimper");
  // Provider records are placed some seconds after the copies; until then holders are missing.
  const { session, status } = await waitFor("all who know the head", 60_000, async () => {
    const attempt = await begin(box, sheet, [address], via);
    const outcome = await finished(box, attempt);
    if (outcome.heads[0]?.confirmedBy === (via === "dht" ? 3 : 4)) {
      return { session: attempt, status: outcome };
    }
    await box.client.delete(`/v1/recover/${attempt}`, recoverEndedShape);
    throw new Error(JSON.stringify(outcome));
  });
  assert.equal(status.state, "ready", JSON.stringify(status.problems));
  // The newest first; the one before it is told, too, as its list was replaced and is kept.
  assert.deepEqual(
    status.heads.map(({ head }) => head.number),
    [2, 1],
  );
  assert.equal(status.heads[0]?.set, set.set);
  assert.equal(status.heads[0].head.number, 2);
  assert.ok(status.heads[0].available);
  const found = status.sets[0]?.groups.flatMap(({ entries }) => entries.map(([shard]) => shard));
  assert.deepEqual(new Set(found), new Set(set.shards.keys()));
  for (const [shard, bytes] of set.shards) {
    const path = `/v1/recover/${session}/sets/${set.set}/shards/${shard}`;
    assert.deepEqual(hash(await box.client.getOctets(path, 4 * MIB)), hash(bytes));
  }

  // A phrase that is nobody's gets nothing.
  const stranger = randomBytes(32).toString("base64");
  const body = { meshId: set.meshId, members: [address], recoverySeed: stranger, via };
  const other = await box.client.post("/v1/recover", body, recoverStartedShape);
  const nothing = await finished(box, other.session);
  assert.equal(nothing.state, "failed");
  assert.deepEqual(nothing.sets, []);
  assert.equal(nothing.asked, 0);
}

test("through provider records, lists and capsules alone", () =>
  withMesh(async (mesh) => {
    await mesh.form(["quimper", "brest", "lorient", "vannes", "rennes"]);
    await recoverAll(mesh, "dht");
  }));

test("through the state alone, with kad-dht off", () =>
  withMesh(async (mesh) => {
    await mesh.form(["quimper", "brest", "lorient", "vannes", "rennes"], { dht: false });
    await recoverAll(mesh, "state");
  }));

function hash(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
