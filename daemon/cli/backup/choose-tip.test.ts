import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Head } from "../../../protocol/backup/head.ts";
import { idOf, sha256, type ChainId, type SetId, type ShardId } from "../../../protocol/ids.ts";
import type { SnapshotRecord } from "../../../protocol/backup/snapshot.ts";
import { BackupError } from "../../backup/client/error.ts";
import { chooseTip, readHeads, tipFreshness } from "./choose-tip.ts";

const chainOf = (name: string): ChainId => idOf<ChainId>(sha256(name).subarray(0, 16));
const rootOf = (name: string): ShardId => idOf<ShardId>(sha256(name));

function head(name: string, chain: string, number: number): Head {
  return { chain: chainOf(chain), number, previous: null, root: rootOf(name), atMs: number };
}

/** Snapshots by name: chain, number and the names of those before it. */
function readerOf(snapshots: Readonly<Record<string, readonly [string, number, ...string[]]>>) {
  const entries = Object.entries(snapshots);
  const past = (name: string) => {
    const [chain = "", number = 0] = snapshots[name] ?? [];
    return { chain: chainOf(chain), number, root: rootOf(name), atMs: 1, files: 0, bytes: 0 };
  };
  return {
    snapshot: async (root: ShardId): Promise<SnapshotRecord> => {
      const found = entries.find(([name]) => rootOf(name) === root);
      if (found === undefined) throw new BackupError("E-BACKUP-STORE", "no");
      const [, [chain, number, ...before]] = found;
      return {
        set: "00112233445566778899aabbccddeeff" as SetId,
        name: "x",
        chain: chainOf(chain),
        number,
        previous: null,
        atMs: 1,
        paths: [],
        tree: new Uint8Array(0),
        index: [],
        files: 0,
        bytes: 0,
        roomBytes: 0,
        unreadable: 0,
        changed: 0,
        doubts: [],
        history: before.map(past),
      };
    },
  };
}

const names = (tips: readonly { readonly head: Head }[]) => tips.map((tip) => tip.head.root);

describe("the newest snapshots", () => {
  it("are one where each grew out of the one before", async () => {
    const reader = readerOf({ a: ["c", 1], b: ["c", 2, "a"], d: ["e", 1, "a", "b"] });
    const heads = [head("a", "c", 1), head("d", "e", 1), head("b", "c", 2)];
    const known = await readHeads(
      reader,
      heads.map((each) => ({ head: each, confirmedBy: 1 })),
    );
    assert.deepEqual(names(known.tips), [rootOf("d")]);
  });

  it("are not those that were forgotten since", async () => {
    const reader = readerOf({ a: ["c", 1], b: ["c", 2, "a"], f: ["c", 9, "b"] });
    const known = await readHeads(reader, [
      { head: head("f", "c", 9), confirmedBy: 1 },
      { head: head("a", "c", 1), confirmedBy: 0 },
      { head: head("gone", "c", 5), confirmedBy: 0 },
    ]);
    assert.deepEqual(names(known.tips), [rootOf("f")]);
    assert.deepEqual(known.unread, []);
  });

  it("are two where an old image of the box went on, in its chain or in a new one", async () => {
    for (const chain of ["c", "new"]) {
      const number = chain === "c" ? 2 : 1;
      const reader = readerOf({
        a: ["c", 1],
        b: ["c", 2, "a"],
        newest: ["c", 3, "a", "b"],
        image: [chain, number, "a"],
      });
      const known = await readHeads(reader, [
        { head: head("newest", "c", 3), confirmedBy: 2 },
        { head: head("image", chain, number), confirmedBy: 0 },
      ]);
      assert.deepEqual(names(known.tips), [rootOf("newest"), rootOf("image")]);
      assert.throws(() => chooseTip(known, undefined), { code: "E-RESTORE-SNAPSHOT", exit: 5 });
      const picked = chooseTip(known, rootOf("image").slice(0, 12));
      assert.equal(picked.head.root, rootOf("image"));
    }
  });

  it("are not confirmed by this site's own word, nor while a newer one cannot be had", async () => {
    const reader = readerOf({ a: ["c", 1] });
    const alone = await readHeads(reader, [{ head: head("a", "c", 1), confirmedBy: 0 }]);
    const fresh = (known: typeof alone, answered: number) =>
      tipFreshness(known, chooseTip(known, undefined), { answered, witnesses: 3 });
    assert.match(fresh(alone, 0).text, /snapshot 1, UNCONFIRMED \(no other member/);
    assert.match(fresh(alone, 2).text, /UNCONFIRMED \(confirmed by 0 of 3 members, 3 are needed\)/);
    const behind = await readHeads(reader, [
      { head: head("missing", "c", 2), confirmedBy: 1 },
      { head: head("a", "c", 1), confirmedBy: 2 },
    ]);
    assert.equal(fresh(behind, 3).fields.confirmed, false);
    assert.match(fresh(behind, 3).text, /members know 2/);
    const two = await readHeads(reader, [{ head: head("a", "c", 1), confirmedBy: 2 }]);
    assert.equal(fresh(two, 2).fields.confirmed, false);
    assert.match(fresh(two, 2).text, /UNCONFIRMED \(confirmed by 2 of 3 members, 3 are/);
    const sure = await readHeads(reader, [{ head: head("a", "c", 1), confirmedBy: 3 }]);
    assert.equal(fresh(sure, 3).fields.confirmed, true);
    assert.match(fresh(sure, 3).text, /^Newest snapshot 1, confirmed by 3 of 3 members\.$/);
  });
});
