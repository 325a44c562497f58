import assert from "node:assert/strict";
import { test } from "node:test";
import { packGroups, type AuditFinding } from "../../../protocol/logs/hold-record.ts";
import { idOf, sha256, type SiteId, type StoreId } from "../../../protocol/ids.ts";
import { risksOf, safeCopies, type HolderFacts } from "./set-safety.ts";

const DAY_MS = 86_400_000;
const NOW_MS = 1000 * DAY_MS;
const SITE = idOf<SiteId>(sha256("site"));
const STORE = idOf<StoreId>(sha256("store").subarray(0, 16));
const OTHER_STORE = idOf<StoreId>(sha256("other store").subarray(0, 16));

function holder(facts: Partial<HolderFacts> = {}): HolderFacts {
  return {
    ...{ site: SITE, member: true, storeId: STORE, lacking: 0, lockDays: 30 },
    ...{ receiptAtMs: NOW_MS - DAY_MS, finding: undefined },
    ...facts,
  };
}

function finding(facts: Partial<AuditFinding> = {}): AuditFinding {
  return {
    ...{ site: SITE, storeId: STORE, outcome: "proven", atMs: 1, provenAtMs: NOW_MS - DAY_MS },
    ...{ leaves: 70, wholes: 1, lostShards: 0, lostGroups: packGroups([]), silent: false },
    ...{ given: 0, held: 0, proven: 0 },
    ...facts,
  };
}

const kinds = (facts: Partial<HolderFacts>): string[] =>
  risksOf(holder(facts), NOW_MS).map(({ kind }) => kind);

test("a copy counts that is whole, locked, vouched for and owes nothing", () => {
  assert.deepEqual(kinds({}), []);
  assert.deepEqual(kinds({ finding: finding() }), []);
});

test("each condition alone puts it at risk", () => {
  assert.deepEqual(kinds({ member: false }), ["ended"]);
  assert.deepEqual(kinds({ lacking: 1 }), ["incomplete"]);
  assert.deepEqual(kinds({ lockDays: 13 }), ["short-lock"]);
  assert.deepEqual(kinds({ lockDays: 14 }), []);
  assert.deepEqual(kinds({ receiptAtMs: NOW_MS - 14 * DAY_MS }), []);
  assert.deepEqual(kinds({ receiptAtMs: NOW_MS - 14 * DAY_MS - 1 }), ["stale"]);
  for (const outcome of ["failed", "refused", "offline"] as const) {
    assert.deepEqual(kinds({ finding: finding({ outcome }) }), ["open"]);
  }
  assert.deepEqual(kinds({ finding: finding({ outcome: "failed", lostShards: 2 }) }), ["lost"]);
});

test("a proof renews what a receipt of long ago said, out of the same store only", () => {
  const receiptAtMs = NOW_MS - 100 * DAY_MS;
  assert.deepEqual(kinds({ receiptAtMs, finding: finding() }), []);
  assert.deepEqual(kinds({ receiptAtMs, finding: finding({ storeId: OTHER_STORE }) }), ["stale"]);
  const old = finding({ provenAtMs: NOW_MS - 15 * DAY_MS });
  assert.deepEqual(kinds({ receiptAtMs, finding: old }), ["stale"]);
});

test("what was found in a store that is gone is not held against the new one", () => {
  assert.deepEqual(kinds({ finding: finding({ storeId: OTHER_STORE, lostShards: 3 }) }), []);
});

test("a word from the future vouches for nothing", () => {
  assert.deepEqual(kinds({ receiptAtMs: NOW_MS + DAY_MS }), []);
  const [risk] = risksOf(holder({ receiptAtMs: NOW_MS + 2 * DAY_MS }), NOW_MS);
  assert.deepEqual(risk, { kind: "stale", forMs: undefined });
});

test("the group with the fewest safe copies decides, and no group at all is no safety", () => {
  const bad = holder({ lacking: 1 });
  assert.equal(
    safeCopies(
      [
        [holder(), holder(), holder()],
        [holder(), bad],
      ],
      NOW_MS,
    ),
    1,
  );
  assert.equal(safeCopies([[holder()], []], NOW_MS), 0);
  assert.equal(safeCopies([], NOW_MS), 0);
});
