/** Places that statements name in logs which some sites have pruned, and what it costs to rest after. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { idOf, type SiteId } from "../../protocol/ids.ts";
import type { Envelope } from "../../protocol/logs/envelope.ts";
import type { LogHead } from "../../protocol/logs/log-head.ts";
import { testKey } from "../fakes/founding.ts";
import { ForkingLog } from "../hostile/forking-log.ts";
import type { SimulatedSite } from "./simulated-site.ts";
import { SimulatedMesh } from "./simulated-mesh.ts";

const YEAR_MS = 365 * 24 * 3600 * 1000;
const OTHER = "other.example/a/A/1";
const author = idOf<SiteId>(testKey("thief").publicKey);

const headOf = ({ log, header, id }: Envelope): LogHead => ({ log, seq: header.seq, head: id });

function shown(site: SimulatedSite): Record<string, unknown> {
  const entries = site.state.view().entries("zone");
  return Object.fromEntries(entries.map(({ key, value }) => [key, value]));
}

/** One site has pruned all that it may of a log; the others have it whole. */
async function prunedOnOne() {
  const mesh = await SimulatedMesh.form({ seed: 11, siteCount: 3 });
  const { founding, time } = mesh;
  const first = mesh.site(0);
  founding.enrol("thief");
  const right = founding.grant(author, "zone", "bzh.example");
  founding.grant(author, "zone", "other.example");
  await time.resolve(first.state.addStatements(founding.statements));
  await mesh.untilEqual(60_000);
  const log = new ForkingLog(founding.meshId, testKey("thief"), { class: "zone" });
  const entries: Envelope[] = [];
  const take = async (entry: Envelope): Promise<void> => {
    entries.push(entry);
    const { replica } = first.state;
    assert.equal(await time.resolve(replica.receiveEnvelope(entry.bytes, author)), "accepted");
    await mesh.untilEqual(180_000);
    mesh.site(2).clock.jump(10 * YEAR_MS);
  };
  for (let at = 0; at < 5; at++) {
    await take(log.snapshot());
    await take(log.update({ [`bzh.example/a${at}/A/1`]: `${at}`, [OTHER]: `${at}` }));
  }
  const kept = mesh.sites.map(({ state }) => state.replica.position(log.log)?.fromSeq);
  assert.deepEqual(kept, [1, 1, 7]);
  return { mesh, right, log, entries, take };
}

test("a right that is taken back at a place that one site has pruned leaves the same on all", async () => {
  const { mesh, right, entries, take, log } = await prunedOnOne();
  const { founding, time } = mesh;
  const named = entries[3];
  assert.ok(named);
  founding.ungrant([right], [headOf(named)]);
  await time.resolve(mesh.site(0).state.addStatements(founding.statements));
  await mesh.untilEqual(180_000);
  const left = { "bzh.example/a0/A/1": "0", "bzh.example/a1/A/1": "1" };
  for (const site of mesh.sites) assert.deepEqual(shown(site), { ...left, [OTHER]: "4" });
  // The log goes on, and is pruned further, without what is named.
  await take(log.snapshot());
  await take(log.update({ [OTHER]: "5" }));
  await take(log.snapshot());
  const pruned = mesh.site(2);
  pruned.kill();
  await time.resolve(pruned.start());
  await mesh.untilEqual(180_000);
  for (const site of mesh.sites) assert.deepEqual(shown(site), { ...left, [OTHER]: "5" });
  assert.deepEqual(pruned.state.replica.position(log.log)?.shows, [4]);
});

test("a revocation that names an entry that one site has pruned leaves the same on all", async () => {
  const { mesh, entries } = await prunedOnOne();
  const { founding, time } = mesh;
  const named = entries[3];
  assert.ok(named);
  founding.epoch({ revokes: [{ site: author, logs: [headOf(named)] }] });
  await time.resolve(mesh.site(2).state.addStatements(founding.statements));
  await mesh.untilEqual(180_000);
  const left = { "bzh.example/a0/A/1": "0", "bzh.example/a1/A/1": "1" };
  for (const site of mesh.sites) assert.deepEqual(shown(site), { ...left, [OTHER]: "1" });
});
