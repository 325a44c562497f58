import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { chooseHead, type FoundHead } from "./choose-head.ts";

function found(chain: string, number: number, root: string, available = true): FoundHead {
  const head = { chain: chain.repeat(32), number, previous: null, root: root.repeat(64), atMs: 1 };
  return { set: "5".repeat(32), head, confirmedBy: 1, witnesses: 2, available };
}

describe("the snapshot that a recovery takes", () => {
  it("is the newest of the chain", () => {
    const heads = [found("c", 7, "a"), found("c", 8, "b")];
    assert.deepEqual(chooseHead(heads, undefined), { taken: heads[1], newest: heads[1] });
  });

  it("is an older one where the newest cannot be had, and that is told", () => {
    const heads = [found("c", 8, "b", false), found("c", 7, "a")];
    assert.deepEqual(chooseHead(heads, undefined), { taken: heads[1], newest: heads[0] });
  });

  it("is for a person to choose among chains, and among heads at one place of a chain", () => {
    const chains = [found("c", 7, "a"), found("d", 1, "b")];
    const disputed = [found("c", 7, "a"), found("c", 7, "b")];
    for (const heads of [chains, disputed]) {
      assert.throws(() => chooseHead(heads, undefined), { code: "E-RESTORE-SNAPSHOT", exit: 5 });
      assert.equal(chooseHead(heads, "bbb").taken, heads[1]);
    }
  });

  it("is not that of another set", () => {
    const heads = [found("c", 7, "a")];
    assert.equal(chooseHead(heads, "bbb").taken, heads[0]);
  });
});
