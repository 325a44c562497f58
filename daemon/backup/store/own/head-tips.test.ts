import assert from "node:assert/strict";
import { test } from "node:test";
import type { Head } from "../../../../protocol/backup/head.ts";
import { idOf, sha256, type ChainId, type SetId, type ShardId } from "../../../../protocol/ids.ts";
import { headsOf } from "./head-tips.ts";

const SET = "00112233445566778899aabbccddeeff" as SetId;

function head(chain: string, number: number, root = `${chain}${number}`): Head {
  return {
    chain: idOf<ChainId>(sha256(chain).subarray(0, 16)),
    number,
    previous: null,
    root: idOf<ShardId>(sha256(root)),
    atMs: number,
  };
}

test("two of three holders rolled back: the newest head of the third one is the tip", () => {
  const claims = [
    { set: SET, head: head("c", 7), by: "a" },
    { set: SET, head: head("c", 7), by: "b" },
    { set: SET, head: head("c", 8), by: "c" },
    { set: SET, head: head("c", 8), by: "witness" },
  ];
  const [tip, ...others] = headsOf(claims, new Set());
  assert.equal(tip?.head.number, 8);
  assert.deepEqual([...(tip?.by ?? [])], ["c", "witness"]);
  assert.deepEqual(others, []);
});

test("a member that says a thing twice is one witness", () => {
  const claim = { set: SET, head: head("c", 1), by: "a" };
  assert.equal(headsOf([claim, claim], new Set())[0]?.by.size, 1);
});

test("two chains, and two heads at one place, are all shown", () => {
  const claims = [
    { set: SET, head: head("c", 3), by: "a" },
    { set: SET, head: head("c", 3, "another"), by: "b" },
    { set: SET, head: head("d", 9), by: "a" },
  ];
  assert.deepEqual(
    headsOf(claims, new Set()).map(({ head: { number } }) => number),
    [9, 3, 3],
  );
});

test("an older head is shown behind the tip when it can be had", () => {
  const old = head("c", 7);
  const claims = [
    { set: SET, head: head("c", 6), by: "a" },
    { set: SET, head: old, by: "b" },
    { set: SET, head: head("c", 8), by: "a" },
  ];
  assert.deepEqual(
    headsOf(claims, new Set([old.root])).map(({ head: { number } }) => number),
    [8, 7],
  );
});
