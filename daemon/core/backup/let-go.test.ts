import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { withoutPart, withPart, type Part } from "./let-go.ts";

const part = fc
  .tuple(fc.constantFrom(1, 2, 4, 8), fc.nat(7))
  .map(([groups, at]): Part => ({ group: at % groups, groups }));

/** The low three bits of shards that are let go. */
function named(parts: readonly Part[]): number[] {
  const bits = [0, 1, 2, 3, 4, 5, 6, 7];
  return bits.filter((bit) => parts.some(({ group, groups }) => (bit & (groups - 1)) === group));
}

test("law: parts come and go as their shards do, however the set was split in between", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(part, fc.boolean()), { maxLength: 12 }), (steps) => {
      let parts: readonly Part[] = [];
      let bits = new Set<number>();
      for (const [step, isLetGo] of steps) {
        parts = isLetGo ? withPart(parts, step) : withoutPart(parts, step);
        const own = new Set(named([step]));
        bits = isLetGo ? bits.union(own) : bits.difference(own);
        assert.deepEqual(
          named(parts),
          [...bits].toSorted((a, b) => a - b),
        );
      }
    }),
  );
});
