/** A mesh beyond 50 sites: each is linked with 8, and what is new still reaches all at once. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ENTRY_BYTES, LargeMesh } from "./large-mesh.ts";

test("200 nodes with 8 links each: an edit reaches all in few hops, and a cut heals", async (t) => {
  const mesh = new LargeMesh(200, 1, [10, 20_000]);
  assert.ok(mesh.links <= (200 * 8) / 2);
  await mesh.time.advance(25_000);
  for (const sizeBytes of [ENTRY_BYTES, ENTRY_BYTES, 40 * 1024]) {
    const { hops, tookMs } = await mesh.edit(sizeBytes, 20_000);
    t.diagnostic(`${sizeBytes} bytes: ${hops} hops, ${tookMs.toFixed(0)} ms`);
    assert.ok(hops <= 6, `${hops} hops`);
  }
  await mesh.time.advance(10_000);
  const { sizeBytes } = await mesh.sentPerNode(60_000);
  t.diagnostic(`at rest ${(sizeBytes * 1440) / 1e6} MB a node and day`);
  assert.ok(sizeBytes * 1440 < 4e6);
  const tookMs = await mesh.partAndHeal(1 / 3, 40_000, 20);
  t.diagnostic(`equal ${(tookMs / 1000).toFixed(1)} s after healing`);
});
