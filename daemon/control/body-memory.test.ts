import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { BodyMemory } from "./body-memory.ts";

describe("memory for large bodies", () => {
  it("is used again, whatever the length of the next body", () => {
    const memory = new BodyMemory(4096);
    const first = memory.take(4096);
    memory.giveBack(first);
    const second = memory.take(100);
    assert.equal(second.length, 100);
    assert.equal(second.buffer, first.buffer);
  });

  it("is never that of a body that is still in use", () => {
    const memory = new BodyMemory(4096);
    const bodies = Array.from({ length: 9 }, () => memory.take(4096));
    assert.equal(new Set(bodies.map(({ buffer }) => buffer)).size, 9);
    for (const body of bodies) memory.giveBack(body);
    const kept = new Set(bodies.map(({ buffer }) => buffer));
    const next = Array.from({ length: 9 }, () => memory.take(4096));
    assert.equal(next.filter(({ buffer }) => kept.has(buffer)).length, 4, "no more are kept");
  });

  it("refuses what is longer than it was made for", () => {
    assert.throws(() => new BodyMemory(4096).take(4097), RangeError);
  });
});
