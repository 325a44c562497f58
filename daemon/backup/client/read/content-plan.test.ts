import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { rangesOf } from "./content-plan.ts";

describe("ranges of a sparse file", () => {
  const extents = [
    { offset: 100, length: 10 },
    { offset: 200, length: 20 },
    { offset: 400, length: 30 },
  ];

  it("cross holes", () => {
    assert.deepEqual(rangesOf(extents, 5, 20), [
      { offset: 105, length: 5 },
      { offset: 200, length: 15 },
    ]);
    assert.deepEqual(rangesOf(undefined, 5, 20), [{ offset: 5, length: 20 }]);
  });

  it("cover each data byte once, however the data are cut", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.integer({ min: 1, max: 59 })), (cuts) => {
        const ends = [...cuts.toSorted((a, b) => a - b), 60];
        const written = new Set<number>();
        ends.forEach((end, at) => {
          const start = ends[at - 1] ?? 0;
          for (const { offset, length } of rangesOf(extents, start, end - start)) {
            for (let byte = offset; byte < offset + length; byte++) {
              assert.ok(!written.has(byte));
              written.add(byte);
            }
          }
        });
        assert.equal(written.size, 60);
        assert.ok(written.has(100) && written.has(219) && written.has(429));
      }),
    );
  });
});
