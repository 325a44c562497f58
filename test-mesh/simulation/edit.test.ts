/** An edit on one of 20 linked sites is in the view of all within a second of the clock. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { service, SimulatedMesh } from "./simulated-mesh.ts";

const LIMIT_MS = 1_000;
const EDITS = 10;

for (const seed of [1, 2]) {
  test(`20 sites see each of ${EDITS} edits within 1 s (seed ${seed})`, async (t) => {
    const mesh = await SimulatedMesh.form({ seed, siteCount: 20 });
    const took: number[] = [];
    for (let edit = 0; edit < EDITS; edit++) {
      const author = mesh.random.pick(mesh.sites);
      const isZone = edit % 2 === 0;
      const [recordClass, key, value] = isZone
        ? ([
            "zone",
            `hedge.example/www/A/${edit}`,
            { ttl: 300, data: "192.0.2.1", view: "public" },
          ] as const)
        : (["site", `service/web-${edit}`, service(`web-${edit}`)] as const);
      const startMs = mesh.time.nowMs;
      assert.ok(await mesh.time.resolve(author.write(recordClass, key, value)));
      const seen = (): boolean =>
        mesh.sites.every(
          ({ state }) => state.view().get(recordClass, key, author.id) !== undefined,
        );
      await mesh.time.until(seen, LIMIT_MS, `edit ${edit} in all views`);
      took.push(mesh.time.nowMs - startMs);
      await mesh.time.advance(mesh.random.between(0, 5_000));
      const [entry] = author.acknowledged.at(-1)?.entries ?? [];
      assert.ok(entry !== undefined);
    }
    assert.ok(Math.max(...took) <= LIMIT_MS);
    t.diagnostic(`seed ${seed}: at most ${Math.max(...took).toFixed(0)} ms`);
    await mesh.time.advance(2_000);
    for (const author of mesh.sites) {
      for (const { entries } of author.acknowledged) {
        for (const entry of entries) {
          const confirmed = author.state.confirmedBy(entry);
          assert.equal(confirmed.length, 19, "every other site has confirmed the edit");
        }
      }
    }
  });
}

test("a site alone edits at once, and the edit is confirmed when another is there", async () => {
  const mesh = await SimulatedMesh.form({ seed: 3, siteCount: 3 });
  const [alone, ...others] = mesh.sites;
  assert.ok(alone !== undefined);
  mesh.network.partition(
    [alone.id],
    others.map(({ id }) => id),
  );
  assert.ok(await mesh.time.resolve(alone.write("site", "service/web", service("web"))));
  assert.ok(alone.state.view().get("site", "service/web", alone.id) !== undefined);
  const [entry] = alone.acknowledged[0]?.entries ?? [];
  assert.ok(entry !== undefined);
  await mesh.time.advance(60_000);
  assert.deepEqual(alone.state.confirmedBy(entry), [], "provisional");
  mesh.network.heal();
  await mesh.untilEqual(10_000);
  await mesh.time.advance(1_000);
  assert.deepEqual(
    [...alone.state.confirmedBy(entry)].toSorted(),
    others.map(({ id }) => id).toSorted(),
  );
});
