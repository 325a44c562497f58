import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Head } from "../../../protocol/backup/head.ts";
import { idOf, sha256, type ChainId, type ShardId } from "../../../protocol/ids.ts";
import { MAX_TIPS, nextTips, type Tips } from "./next-tips.ts";

const rootOf = (name: string): ShardId => idOf<ShardId>(sha256(name));

function head(chain: string, number: number, after?: Head, name = `${chain}${number}`): Head {
  const id = idOf<ChainId>(sha256(chain).subarray(0, 16));
  return { chain: id, number, previous: after?.root ?? null, root: rootOf(name), atMs: number };
}

const c1 = head("c", 1);
const c2 = head("c", 2, c1);
const c3 = head("c", 3, c2);
const d1 = head("d", 1);
const plain = (at: Head | null, tips: readonly Head[] = []): Tips => {
  return { head: at, tips, setBackTo: null };
};
const change = (at: Head | null, more: { found?: Head[]; settled?: ShardId[] } = {}) => {
  return { head: at, found: more.found ?? [], settled: more.settled ?? [] };
};

describe("the newest snapshots after a commit", () => {
  it("are one as long as each follows the one before", () => {
    assert.deepEqual(nextTips(plain(null), change(c1)), plain(c1));
    assert.deepEqual(nextTips(plain(c1), change(c2)), plain(c2));
    assert.deepEqual(nextTips(plain(c2), change(null)), plain(c2));
  });

  it("stay as they are when a commit that is done is asked for again", () => {
    assert.deepEqual(nextTips(plain(c2, [d1]), change(c2)), plain(c2, [d1]));
  });

  it("follow in order, or begin a chain that no other one has", () => {
    assert.equal(nextTips(plain(c1), change(c3)), "order");
    assert.equal(nextTips(plain(c2), change(head("c", 1, undefined, "other"))), "order");
    assert.equal(nextTips(plain(c2), change(head("c", 3, c1))), "order");
    assert.equal(nextTips(plain(c2), change(head("d", 2))), "order");
    assert.equal(nextTips(plain(c2), change({ ...d1, previous: c2.root })), "order");
  });

  it("are two where a directory that was set back goes on, in a new chain only", () => {
    const setBack: Tips = { head: c3, tips: [], setBackTo: { head: c1 } };
    assert.equal(nextTips(setBack, change(head("c", 4, c3))), "set-back");
    assert.equal(nextTips(setBack, change(head("c", 2, c1, "again"))), "order");
    // Portions of a run that has not ended change nothing.
    assert.deepEqual(nextTips(setBack, change(null)), setBack);
    assert.deepEqual(nextTips(setBack, change(d1)), plain(d1, [c3]));
  });

  it("are one again when a snapshot follows either and names the other as settled", () => {
    const both = plain(d1, [c3]);
    const d2 = head("d", 2, d1);
    const c4 = head("c", 4, c3);
    assert.deepEqual(nextTips(both, change(d2)), plain(d2, [c3]));
    assert.deepEqual(nextTips(both, change(d2, { settled: [c3.root] })), plain(d2));
    assert.deepEqual(nextTips(both, change(c4, { settled: [d1.root] })), plain(c4));
    assert.deepEqual(nextTips(both, change(c4)), plain(c4, [d1]));
  });

  it("count what has turned up, once, and never the head itself", () => {
    const found = nextTips(plain(c2, [d1]), change(null, { found: [d1, c2, c3, c3] }));
    assert.deepEqual(found, plain(c2, [d1, c3]));
  });

  it("are bounded", () => {
    const many = Array.from({ length: MAX_TIPS + 1 }, (_none, at) => head(`x${at}`, 1));
    assert.equal(nextTips(plain(c1), change(null, { found: many })), "many");
    assert.notEqual(nextTips(plain(c1), change(null, { found: many.slice(1) })), "many");
  });
});
