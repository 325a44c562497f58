import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { idOf, sha256, type LogId, type SiteId } from "../../../protocol/ids.ts";
import { versionId } from "../../../protocol/logs/record-version.ts";
import type { RecordClass } from "../../../protocol/logs/record-class.ts";
import { mergeAgain, mergeClass, type Candidate } from "./merge.ts";

const SITES = ["a", "b", "c"].map((name) => idOf<SiteId>(sha256(name)));

function site(index: number): SiteId {
  return SITES[index] ?? assert.fail();
}

/** A version as it would stand in the log of its author. */
function candidate(
  recordClass: RecordClass,
  key: string,
  author: SiteId,
  lamport: number,
  value: string | undefined,
  supersedes: readonly Candidate[] = [],
): Candidate {
  const version = { lamport, supersedes: supersedes.map(({ id }) => id), value };
  const id = versionId(author, recordClass, key, version);
  const log = idOf<LogId>(sha256(author).subarray(0, 16));
  return { ...version, id, key, author, log, seq: lamport };
}

function shown(recordClass: RecordClass, candidates: readonly Candidate[]) {
  return mergeClass(recordClass, candidates).entries.map(({ key, author, value, conflicts }) => ({
    key,
    author,
    value,
    conflicts: conflicts.map((conflict) => conflict.value),
  }));
}

test("a version that another one replaces is gone, whatever their numbers", () => {
  const one = candidate("zone", "k", site(0), 9, "one");
  const two = candidate("zone", "k", site(1), 3, "two", [one]);
  assert.deepEqual(shown("zone", [one, two]), [
    { key: "k", author: site(1), value: "two", conflicts: [] },
  ]);
});

test("when an author's versions go, what only they had replaced comes back", () => {
  const one = candidate("zone", "k", site(0), 1, "one");
  const two = candidate("zone", "k", site(1), 2, undefined, [one]);
  assert.deepEqual(shown("zone", [one, two]), []);
  assert.deepEqual(shown("zone", [one]), [
    { key: "k", author: site(0), value: "one", conflicts: [] },
  ]);
});

test("of two that did not see one another the higher is shown, with the other beside it", () => {
  const one = candidate("zone", "k", site(0), 1, "one");
  const two = candidate("zone", "k", site(1), 2, "two");
  assert.deepEqual(shown("zone", [two, one]), [
    { key: "k", author: site(1), value: "two", conflicts: ["one"] },
  ]);
  const settled = candidate("zone", "k", site(0), 3, "one", [one, two]);
  assert.deepEqual(shown("zone", [two, settled, one])[0]?.conflicts, []);
});

test("a change and a deletion at once are a conflict, whichever of them is shown", () => {
  const before = candidate("zone", "k", site(0), 1, "old");
  const changed = candidate("zone", "k", site(0), 2, "new", [before]);
  const deleted = candidate("zone", "k", site(1), 3, undefined, [before]);
  const { entries, conflicts } = mergeClass("zone", [before, changed, deleted]);
  assert.deepEqual(entries, []);
  assert.deepEqual(
    conflicts.map(({ key, versions }) => [key, versions.map(({ value }) => value)]),
    [["k", [undefined, "new"]]],
  );
});

test("one version in two logs is one version", () => {
  const one = candidate("site", "k", site(0), 1, "one");
  const again = { ...one, log: idOf<LogId>(new Uint8Array(16)), seq: 1 };
  assert.equal(shown("site", [one, again]).length, 1);
  assert.deepEqual(mergeClass("site", [one, again]).hash, mergeClass("site", [again]).hash);
});

test("in own classes equal keys of two authors are two records", () => {
  const records = [1, 0].map((index) => candidate("site", "k", site(index), 1, `${index}`));
  const authors = shown("site", records).map(({ author }) => author);
  assert.deepEqual(authors, [site(0), site(1)].toSorted());
});

test("neither order nor repetition has an influence", () => {
  const act = fc.tuple(fc.nat(2), fc.constantFrom("k", "l"), fc.nat(5), fc.array(fc.nat(20)));
  fc.assert(
    fc.property(fc.array(act, { maxLength: 12 }), fc.infiniteStream(fc.nat()), (acts, chance) => {
      const all: Candidate[] = [];
      for (const [author, key, value, replaced] of acts) {
        const before = replaced
          .flatMap((index) => all[index] ?? [])
          .filter((other) => other.key === key);
        const text = value === 0 ? undefined : `${value}`;
        all.push(candidate("zone", key, site(author), all.length + 1, text, before));
      }
      const expected = mergeClass("zone", all);
      const shuffled = [...all, ...all]
        .map((each) => ({ each, rank: chance.next().value ?? 0 }))
        .toSorted((a, b) => a.rank - b.rank)
        .map(({ each }) => each);
      assert.deepEqual(mergeClass("zone", shuffled), expected);
    }),
    { numRuns: 200 },
  );
});

test("merging only what has changed comes to the same as merging everything", () => {
  const act = fc.tuple(
    fc.nat(2),
    fc.constantFrom("k", "l", "m"),
    fc.nat(3),
    fc.nat(9),
    fc.boolean(),
  );
  fc.assert(
    fc.property(
      fc.constantFrom<RecordClass>("zone", "site"),
      fc.array(act, { maxLength: 20 }),
      (recordClass, acts) => {
        // Each site has one version of a key, as its document has; the flag lets it go again.
        const standing = new Map<string, Candidate>();
        let view = mergeClass(recordClass, []);
        for (const [at, [author, key, value, replaced, goes]] of acts.entries()) {
          const name = `${author}${key}`;
          const before = [...standing.values()].filter((other) => other.key === key);
          const supersedes = before.slice(0, replaced % 3);
          const text = value === 0 ? undefined : `${value}`;
          const version = candidate(recordClass, key, site(author), at + 1, text, supersedes);
          if (goes) standing.delete(name);
          else standing.set(name, version);
          const owner = recordClass === "zone" ? undefined : site(author);
          view = mergeAgain(recordClass, view, [{ key, author: owner }], (record) =>
            [...standing.values()].filter(
              (each) =>
                each.key === record.key &&
                (record.author === undefined || each.author === record.author),
            ),
          );
          const expected = mergeClass(recordClass, standing.values());
          assert.deepEqual(view.entries, expected.entries);
          assert.deepEqual(view.conflicts, expected.conflicts);
          assert.deepEqual(view.hash, expected.hash);
        }
      },
    ),
    { numRuns: 300, seed: 17 },
  );
});
