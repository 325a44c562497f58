import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { FairShares, type Share } from "./fair-shares.ts";

const share = (name: string, weight = 1): Share => ({ name, weight });
const MAX_BYTES = 320 * 1024;

interface Piece {
  readonly flow: number;
  readonly bytes: number;
}

describe("a line that several share", () => {
  it("gives each data set as many bytes, however large their pieces and many their groups", () => {
    const shape = fc.record({
      sizes: fc.array(fc.integer({ min: 1, max: MAX_BYTES }), { minLength: 2, maxLength: 8 }),
      depth: fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 8, maxLength: 8 }),
    });
    fc.assert(
      fc.property(shape, ({ sizes, depth }) => {
        const queue = new FairShares<Piece>();
        const had = sizes.map(() => 0);
        const add = (flow: number): void => {
          const bytes = sizes[flow] ?? 1;
          queue.add([share(`set ${flow}`)], bytes, { flow, bytes });
        };
        // Some always have one piece waiting, others many.
        for (const flow of sizes.keys()) for (let n = 0; n < (depth[flow] ?? 1); n++) add(flow);
        for (let turn = 0; turn < 400; turn++) {
          const piece = queue.take();
          assert.ok(piece);
          had[piece.flow] = (had[piece.flow] ?? 0) + piece.bytes;
          add(piece.flow);
        }
        assert.ok(Math.max(...had) - Math.min(...had) <= 2 * Math.max(...sizes), had.join(" "));
      }),
    );
  });

  it("divides between owners first, so more data sets bring no more", () => {
    const queue = new FairShares<string>();
    const add = (owner: string, set: string) => queue.add([share(owner), share(set)], 1000, owner);
    for (let n = 0; n < 100; n++) {
      add("one", "only");
      for (let set = 0; set < 9; set++) add("many", `set ${set}`);
    }
    const first = Array.from({ length: 100 }, () => queue.take());
    assert.equal(first.filter((owner) => owner === "one").length, 50);
  });

  it("gives by weight, and the light one still gets its part", () => {
    const queue = new FairShares<string>();
    for (let n = 0; n < 340; n++) {
      queue.add([share("restore", 16)], 1000, "restore");
      queue.add([share("spread", 1)], 1000, "spread");
    }
    const first = Array.from({ length: 340 }, () => queue.take());
    assert.equal(first.filter((name) => name === "spread").length, 20);
  });

  it("lets nobody save up: who was away gets its share from now on", () => {
    const queue = new FairShares<string>();
    const add = (name: string) => queue.add([share(name)], 1000, name);
    add("late");
    queue.take();
    for (let n = 0; n < 1000; n++) {
      add("busy");
      add("other");
      queue.take();
      queue.take();
    }
    for (let n = 0; n < 20; n++) for (const name of ["busy", "other", "late"]) add(name);
    const first = Array.from({ length: 12 }, () => queue.take());
    assert.equal(first.filter((name) => name === "late").length, 4);
  });

  it("keeps the order of one, and ends empty", () => {
    const queue = new FairShares<number>();
    for (let n = 0; n < 5; n++) queue.add([share("a")], 1, n);
    assert.equal(queue.peek(), 0);
    assert.deepEqual(queue.drain(), [0, 1, 2, 3, 4]);
    assert.equal(queue.take(), undefined);
    assert.equal(queue.size, 0);
  });
});
