import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, it } from "node:test";
import { SeenChunks } from "./seen-chunks.ts";

const id = (number: number): Uint8Array => createHash("sha256").update(String(number)).digest();

describe("known chunks", () => {
  it("tells the first from all others, across growth", () => {
    const level = SeenChunks.newLevel(0);
    const here = new SeenChunks([level]);
    const there = new SeenChunks([level]);
    let grown = 0;
    for (let number = 0; number < 100_000; number++) {
      assert.equal(here.add(id(number)), true);
      const next = here.nextLevel();
      if (next === undefined) continue;
      here.grow(next);
      there.grow(next);
      grown += 1;
    }
    assert.ok(grown >= 1, "the table never grew");
    for (let number = 0; number < 100_000; number++) {
      assert.equal(there.has(id(number)), true);
      assert.equal(there.add(id(number)), false);
    }
    assert.equal(there.has(id(100_001)), false);
  });

  it("takes ids apart that share their first bytes", () => {
    const seen = new SeenChunks([SeenChunks.newLevel(10)]);
    const base = Buffer.alloc(32, 0);
    const other = Buffer.alloc(32, 0);
    other[11] = 1;
    assert.equal(seen.add(base), true);
    assert.equal(seen.add(other), true);
    assert.equal(seen.add(base), false);
  });
});
