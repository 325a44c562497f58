import assert from "node:assert/strict";
import { test } from "node:test";
import { RecordView } from "../../../test-mesh/fakes/record-view.ts";
import { siteOf, STORE } from "../../../test-mesh/fakes/placed-group.ts";
import { idOf, sha256, type ListId, type OperatorId, type OwnerId } from "../../../protocol/ids.ts";
import type { SetId, SiteId, StatementId } from "../../../protocol/ids.ts";
import { holdRecords, placeRecords } from "../../../protocol/logs/record-pages.ts";
import { NO_RULES } from "../../../protocol/logs/record.ts";
import type { Delegation, Site } from "../authority/authority.ts";
import { mayLetGoOf } from "./succession.ts";

const OWNER = idOf<OwnerId>(sha256("owner"));
const SET = "00".repeat(16) as SetId;
const [OLD, NEW, SELF] = ["old", "new", "self"].map(siteOf) as [SiteId, SiteId, SiteId];
const HOLDERS = ["a", "b", "c"].map(siteOf);

interface Changes {
  readonly members?: readonly SiteId[];
  /** Who may write the set, and whether it was named for this set outright. */
  readonly rights?: ReadonlyMap<SiteId, boolean>;
  /** Groups of the successor, each of so many bytes; none: it has published nothing. */
  readonly groups?: readonly number[];
  /** How many there will be. */
  readonly groupCount?: number;
  readonly targets?: readonly SiteId[];
  readonly holding?: readonly SiteId[];
}

/** The old box listed 1,000 bytes at "self"; the new one has listed as much elsewhere. */
function mayGo(changes: Changes = {}, part = { group: 0, groups: 1 }): boolean {
  const { members = [NEW, SELF, ...HOLDERS], rights = new Map([[NEW, false]]) } = changes;
  const { groups = [1000], targets = HOLDERS, holding = targets } = changes;
  const view = new RecordView();
  const listOf = (group: number): ListId => idOf<ListId>(sha256(`list ${group}`));
  const placed = groups.map((bytes, group) => {
    return { targets: [...targets], generation: 1, list: listOf(group), shards: 1, bytes };
  });
  const fields = { owner: OWNER, name: "", keyEpoch: 0, copies: 3, head: null, rules: NO_RULES };
  const groupCount = changes.groupCount ?? groups.length;
  if (groups.length > 0) {
    const place = { ...fields, groupCount, groups: placed };
    for (const { key, value } of placeRecords(SET, place)) view.put(NEW, "place", key, value);
  }
  for (const site of holding) {
    const held = groups.map((_bytes, group) => ({ group, generation: 1, list: listOf(group) }));
    for (const { key, value } of holdRecords(OWNER, SET, {
      ...{ storeId: STORE, groups: held, letGo: [] },
    })) {
      view.put(site, "hold", key, value);
    }
  }
  const sites = new Map(members.map((siteId) => [siteId, { siteId, operator: OPERATOR } as Site]));
  const delegationFor = (_owner: OwnerId, _set: SetId, site: SiteId): Delegation | undefined => {
    const isOutright = rights.get(site);
    const said = { owner: OWNER, site, lockDays: 30, statement: "" as StatementId };
    return isOutright === undefined ? undefined : { ...said, set: isOutright ? SET : null };
  };
  const of = { owner: OWNER, set: SET, by: OLD, generation: 9, bytes: 1000 };
  return mayLetGoOf(view, { sites, delegationFor }, SELF, { ...of, ...part });
}
const OPERATOR = idOf<OperatorId>(sha256("operator"));

test("goes when the successor's lists are whole at as many sites as are wanted", () => {
  assert.equal(mayGo(), true);
  const [a, b] = HOLDERS;
  assert.ok(a && b);
  assert.equal(mayGo({ holding: [a, b] }), false);
});

test("stays without a successor: the owner may be dead", () => {
  assert.equal(mayGo({ groups: [] }), false);
  assert.equal(mayGo({ rights: new Map() }), false);
  assert.equal(mayGo({ members: [SELF, ...HOLDERS] }), false);
});

test("stays when the successor lists much less, or has not yet published all", () => {
  assert.equal(mayGo({ groups: [799] }), false);
  assert.equal(mayGo({ groups: [800] }), true);
  assert.equal(mayGo({ groups: [1000, 1000], groupCount: 4 }), false);
});

test("goes by the parts that overlap, however often the set was split", () => {
  assert.equal(mayGo({ groups: [3000] }, { group: 1, groups: 2 }), true);
  assert.equal(mayGo({ groups: [1000] }, { group: 1, groups: 2 }), false);
  assert.equal(mayGo({ groups: [500, 5, 500, 5] }, { group: 0, groups: 2 }), true);
  assert.equal(mayGo({ groups: [500, 5, 500, 5] }, { group: 1, groups: 2 }), false);
});

test("a former site that may write still keeps the set, unless another was named for it outright", () => {
  const members = [OLD, NEW, SELF, ...HOLDERS];
  const rights = (old: boolean, now: boolean) =>
    new Map([
      [OLD, old],
      [NEW, now],
    ]);
  assert.equal(mayGo({ members, rights: rights(false, false) }), false);
  assert.equal(mayGo({ members, rights: rights(true, true) }), false);
  assert.equal(mayGo({ members, rights: rights(false, true) }), true);
  // One that was expelled has no rights, whatever was said of it.
  assert.equal(mayGo({ rights: rights(false, false) }), true);
});

test("a holder that the successor chose goes by its lists when it has them in full", () => {
  const targets = [...HOLDERS.slice(1), SELF];
  assert.equal(mayGo({ targets }), true);
  assert.equal(mayGo({ targets, holding: HOLDERS }), false);
});
