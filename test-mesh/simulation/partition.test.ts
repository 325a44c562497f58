/**
 * Two halves of 20 sites are cut apart for ten minutes of the clock. Both are edited, sites die and
 * come back, links flap, old entries arrive again. Ten seconds after healing all are equal.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { service, SimulatedMesh } from "./simulated-mesh.ts";
import type { SimulatedSite } from "./simulated-site.ts";

const CUT_MINUTES = 10;
const HEALED_WITHIN_MS = 10_000;
const SEEDS = [11, 12, 13];

/** Gives a site what another holds once more, in any order: as by a member that repeats itself. */
async function repeat(mesh: SimulatedMesh, from: SimulatedSite, to: SimulatedSite): Promise<void> {
  const { log } = mesh.random.pick(from.state.logHeads());
  const entries: Uint8Array[] = [];
  for await (const bytes of from.state.replica.envelopesFrom(log, 0)) entries.push(bytes);
  const mixed = mesh.random.shuffled([...entries, ...entries]);
  await Promise.all(mixed.map((bytes) => to.state.replica.receiveEnvelope(bytes, from.id)));
}

/** One minute in one half: every site that is up writes, one dies or comes back, links flap. */
async function disturb(
  mesh: SimulatedMesh,
  half: readonly SimulatedSite[],
  minute: number,
): Promise<void> {
  const { random } = mesh;
  const up = half.filter(({ isUp }) => isUp);
  for (const site of up) {
    await site.write("site", `service/m${minute}`, service(`m${minute}`));
    const value = { ttl: 300, data: `192.0.2.${minute}`, view: "public" };
    await site.write("zone", `hedge.example/${random.pick(["www", "mail"])}/A/1`, value);
  }
  const dead = half.find(({ isUp }) => !isUp);
  if (dead !== undefined) await dead.start();
  else random.pick(up).kill();
  const [a, b] = random.shuffled(half.filter(({ isUp }) => isUp));
  if (a === undefined || b === undefined) return;
  mesh.network.cut(a.id, b.id);
  await repeat(mesh, a, b);
}

for (const seed of SEEDS) {
  test(`two halves of 20 sites are equal 10 s after healing (seed ${seed})`, async (t) => {
    const mesh = await SimulatedMesh.form({ seed, siteCount: 20 });
    const halves = mesh.halves();
    mesh.network.partition(
      halves[0].map(({ id }) => id),
      halves[1].map(({ id }) => id),
    );
    for (let minute = 0; minute < CUT_MINUTES; minute++) {
      for (const half of halves) await mesh.time.resolve(disturb(mesh, half, minute));
      await mesh.time.advance(60_000);
    }
    for (const site of mesh.sites) if (!site.isUp) await site.start();
    await mesh.time.advance(5_000);
    const [left, right] = halves.map((half) => new Set(half.map((site) => site.fingerprint())));
    assert.equal(left?.size, 1, "each half is equal in itself");
    assert.equal(right?.size, 1);
    assert.notDeepEqual(left, right, "and differs from the other");

    mesh.network.heal();
    const tookMs = await mesh.untilEqual(HEALED_WITHIN_MS);
    t.diagnostic(`seed ${seed}: equal ${tookMs.toFixed(0)} ms after healing`);
    assertNothingLost(mesh);
    const www = mesh.site(0).state.view().get("zone", "hedge.example/www/A/1");
    assert.ok(
      (www?.conflicts.length ?? 0) > 0,
      "both halves changed one record: shown as conflict",
    );
  });
}

function assertNothingLost(mesh: SimulatedMesh): void {
  const view = mesh.site(0).state.view();
  for (const site of mesh.sites) {
    for (const { class: recordClass, key, value } of site.acknowledged) {
      if (recordClass !== "site") continue;
      assert.deepEqual(view.get("site", key, site.id)?.value, value, `${site.name} ${key}`);
    }
  }
}
