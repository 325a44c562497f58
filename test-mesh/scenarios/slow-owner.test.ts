/** Three remote copies leave a slow line once, whoever dies or keeps receipts back. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { withMesh } from "../harness.ts";
import { measureSlowOwner } from "../slow-owner.ts";

const MIB = 1024 * 1024;

test("a slow owner sends each byte once: receipts withheld, a holder killed in the middle", (context) =>
  withMesh(async (mesh) => {
    const gates: { close(): void }[] = [];
    try {
      const figures = await measureSlowOwner(mesh, gates, {
        bytesPerSecond: MIB,
        sizes: Array.from({ length: 16 }, () => MIB / 4),
        timeoutMs: 120_000,
      });
      context.diagnostic(JSON.stringify(figures));
      assert.ok(figures.withheldRatio <= 1.05, JSON.stringify(figures));
      assert.ok(figures.killedRatio <= 1.05, JSON.stringify(figures));
    } finally {
      for (const gate of gates) gate.close();
    }
  }));
