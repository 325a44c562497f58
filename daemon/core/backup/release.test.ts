import assert from "node:assert/strict";
import { test } from "node:test";
import { packGroups, type AuditFinding } from "../../../protocol/logs/hold-record.ts";
import { idOf, sha256, type ListId, type OperatorId, type OwnerId } from "../../../protocol/ids.ts";
import type { SetId, SiteId, StoreId } from "../../../protocol/ids.ts";
import { NO_RULES } from "../../../protocol/logs/record.ts";
import type { GroupFacts } from "./group-facts.ts";
import { mayLetGo } from "./release.ts";

const site = (name: string): SiteId => idOf<SiteId>(sha256(name));
const LIST = idOf<ListId>(sha256("list"));
const STORE = idOf<StoreId>(sha256("store").subarray(0, 16));
const SELF = site("self");

/** "home" has placed generation 5 at a, b and c, who all have it. */
function facts(changes: Partial<GroupFacts> = {}): GroupFacts {
  const others = ["a", "b", "c"].map(site);
  return {
    ...{ owner: idOf<OwnerId>(sha256("owner")), set: "00".repeat(16) as SetId, group: 0 },
    ...{ by: site("home"), copies: 3, rules: NO_RULES, targets: others, list: LIST },
    ...{ generation: 5, bytes: 1000, repairs: [], findings: new Map() },
    members: new Set([...others, SELF, site("home")]),
    holding: new Map(others.map((one) => [one, held(5)])),
    ...changes,
  };
}

function held(generation: number, list = LIST) {
  return { list, generation, storeId: STORE };
}

function lost(about: SiteId): AuditFinding {
  return {
    ...{ site: about, storeId: STORE, outcome: "failed", atMs: 1, provenAtMs: null, leaves: 0 },
    ...{ wholes: 0, lostShards: 1, lostGroups: packGroups([0]), silent: false },
    ...{ given: 0, held: 0, proven: 0 },
  };
}

const one = (): OperatorId => idOf<OperatorId>(sha256("one"));

test("goes when as many others as are wanted have what is published", () => {
  assert.equal(mayLetGo(facts(), SELF, 5, one), true);
  assert.equal(mayLetGo(facts(), SELF, 4, one), true);
});

test("stays while it is named, has something newer, or any other copy is not whole", () => {
  const [a, b, c] = ["a", "b", "c"].map(site);
  assert.ok(a && b && c);
  const stays: Record<string, Partial<GroupFacts>> = {
    named: { targets: [a, b, c, SELF] },
    incomplete: { holding: new Map([a, b].map((other) => [other, held(5)])) },
    another: {
      holding: new Map([
        [a, held(5)],
        [b, held(5)],
        [c, held(5, idOf<ListId>(sha256("other")))],
      ]),
    },
    left: { members: new Set([a, b, SELF, site("home")]) },
    lost: { findings: new Map([[site("home"), new Map([[c, lost(c)]])]]) },
    more: { copies: 4 },
  };
  for (const [why, changes] of Object.entries(stays)) {
    assert.equal(mayLetGo(facts(changes), SELF, 5, one), false, why);
  }
  assert.equal(mayLetGo(facts(), SELF, 6, one), false, "newer");
});

test("one operator alone cannot empty a holder of another's by sites that it made up", () => {
  const rogue = idOf<OperatorId>(sha256("rogue"));
  const enrolled = (sites: readonly string[]) => (asked: SiteId) =>
    sites.some((name) => site(name) === asked) ? rogue : one();
  assert.equal(mayLetGo(facts(), SELF, 5, enrolled(["a", "b", "c"])), false);
  assert.equal(mayLetGo(facts(), SELF, 5, enrolled(["a", "b"])), true);
  assert.equal(mayLetGo(facts(), SELF, 5, enrolled(["a", "b", "c", "self"])), true);
});
