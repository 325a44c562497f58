import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { SeededRandom } from "../../test-mesh/fakes/seeded-random.ts";
import { MAX_COPIES, MAX_GROUPS } from "../backup/list.ts";
import { encodeCbor } from "../encoding/cbor.ts";
import { encodeJson, isJsonValue } from "../encoding/json-value.ts";
import { idOf, sha256 } from "../ids.ts";
import type { ChainId, ListId, OwnerId, SetId, ShardId, SiteId, StoreId } from "../ids.ts";
import { placedGroups, type HeldGroup, type PlacedGroup } from "./packed-groups.ts";
import { isRecordKey, MAX_VALUE_BYTES } from "./record-version.ts";
import {
  HOLD_PAGE_GROUPS,
  holdRecords,
  joinHeld,
  joinPlaced,
  MAX_PLACE_PAGES,
  morePlaced,
  parsePlaceKey,
  placeRecords,
  type KeyedValue,
} from "./record-pages.ts";
import { holdRecord, NO_RULES, parseHoldKey, placeRecord, tipsKey } from "./record.ts";
import type { HoldRecord, PlaceRecord } from "./record.ts";

const OWNER = idOf<OwnerId>(sha256("owner"));
const SET = idOf<SetId>(sha256("set").subarray(0, 16));
const STORE = idOf<StoreId>(sha256("store").subarray(0, 16));
const MOST = Number.MAX_SAFE_INTEGER;

function siteOf(number: number): SiteId {
  return idOf<SiteId>(sha256(`site ${number}`));
}

function groupsOf(count: number, make: (group: number) => Partial<PlacedGroup>): PlacedGroup[] {
  return Array.from({ length: count }, (_none, group) => {
    const list = idOf<ListId>(sha256(`list ${group}`));
    return { targets: [], generation: 1, list, shards: 4096, bytes: 2 ** 34, ...make(group) };
  });
}

function placing(groups: readonly PlacedGroup[], of: Partial<PlaceRecord> = {}): PlaceRecord {
  const plain = { owner: OWNER, name: "", keyEpoch: 0, copies: 3, head: null, rules: NO_RULES };
  return { ...plain, groupCount: groups.length, groups, ...of };
}

function checkFit(records: readonly KeyedValue[]): void {
  for (const { key, value } of records) {
    assert.ok(isRecordKey(key) && isJsonValue(value));
    assert.ok(encodeJson(value).length <= MAX_VALUE_BYTES, key);
  }
}

function joinedPlace(records: readonly KeyedValue[]): PlaceRecord {
  const pages = new Map(records.map(({ key, value }) => [key, value]));
  return joinPlaced(placeRecord.parse(pages.get(SET)), (page) => {
    return morePlaced.safeParse(pages.get(`${SET}/groups/${page}`)).data;
  });
}

function joinedHold(records: readonly KeyedValue[]): HoldRecord {
  const pages = new Map(records.map(({ key, value }) => [key, value]));
  return joinHeld(holdRecord.parse(pages.get(`${OWNER}/${SET}`)), (page) => {
    return holdRecord.safeParse(pages.get(`${OWNER}/${SET}/groups/${page}`)).data;
  });
}

test("whatever is placed is read as it was written, and every value fits", () => {
  const random = new SeededRandom(210);
  for (let round = 0; round < 40; round++) {
    const sites = 1 + random.below(random.pick([3, 40, 2000]));
    const most = random.pick([10, 2 ** 20, MOST]);
    const groups = groupsOf(random.below(random.pick([2, 65, MAX_GROUPS + 1])), () => ({
      targets: Array.from({ length: random.below(MAX_COPIES + 1) }, () =>
        siteOf(random.below(sites)),
      ),
      ...{ generation: random.below(most), shards: random.below(most), bytes: random.below(most) },
    }));
    const place = placing(groups, { name: "n".repeat(random.below(1025)) });
    const records = placeRecords(SET, place);
    checkFit(records);
    assert.deepEqual(joinedPlace(records), place);
  }
});

test("the groups of 1 TiB are one record in a mesh of 60 sites", () => {
  const groups = groupsOf(64, (group) => ({
    targets: [0, 21, 40].map((step) => siteOf((group + step) % 60)),
    generation: 70_000,
  }));
  const head = {
    ...{ chain: idOf<ChainId>(sha256("c").subarray(0, 16)), number: 70_000, atMs: 2e12 },
    ...{ previous: idOf<ShardId>(sha256("p")), root: idOf<ShardId>(sha256("r")) },
  };
  const place = placing(groups, { head, name: "n".repeat(120) });
  assert.equal(placeRecords(SET, place).length, 1);
});

test("as many groups, copies, sites and rules as there may be are published whole", () => {
  const groups = groupsOf(MAX_GROUPS, (group) => ({
    targets: Array.from({ length: MAX_COPIES }, (_none, copy) => siteOf(group * 100 + copy)),
    ...{ generation: MOST, shards: MOST, bytes: MOST },
  }));
  const countries = Array.from({ length: 249 }, () => "FR");
  const holders = Array.from({ length: 64 }, (_none, at) => siteOf(at));
  const rules = { allow: countries, deny: countries, holders };
  const place = placing(groups, { name: "n".repeat(1024), rules, copies: MAX_COPIES });
  const records = placeRecords(SET, place);
  checkFit(records);
  assert.ok(records.length - 1 <= MAX_PLACE_PAGES);
  assert.deepEqual(joinedPlace(records), place);
});

test("records that have not all come yet show the groups up to the first that is missing", () => {
  const spread = (step: number) =>
    groupsOf(MAX_GROUPS, (group) => ({
      targets: Array.from({ length: 5 }, (_none, copy) => siteOf(group * step + copy)),
    }));
  const place = placing(spread(5));
  const records = placeRecords(SET, place);
  assert.ok(records.length > 3);
  const [main, first, ...rest] = records;
  assert.ok(main !== undefined && first !== undefined);
  const firstCount = placeRecord.parse(main.value).groups.length;
  const seen = joinedPlace([main, ...rest]);
  assert.deepEqual(seen.groups, place.groups.slice(0, firstCount));
  assert.equal(seen.groupCount, MAX_GROUPS);
  // One that was cut elsewhere says nothing of the groups that would be its own here.
  const [, otherCut] = placeRecords(SET, placing(spread(4)));
  assert.ok(otherCut !== undefined);
  assert.equal(joinedPlace([main, otherCut, ...rest]).groups.length, firstCount);
  // More than the set has is not there.
  const fewer = { ...placeRecord.parse(main.value), groupCount: 1 };
  assert.equal(joinPlaced(fewer, () => assert.fail()).groups.length, 1);
});

test("packed groups of a hostile author are refused", () => {
  const [group] = groupsOf(1, () => ({ targets: [siteOf(1)] }));
  assert.ok(group !== undefined);
  const site = sha256("site");
  const list = sha256("list");
  const packed = (value: Parameters<typeof encodeCbor>[0]): string =>
    Buffer.from(encodeCbor(value)).toString("base64");
  const sound = [[site], [[Uint8Array.of(0), 1, list, 1, 1]]];
  assert.equal(placedGroups.parse(packed(sound)).length, 1);
  const text = packed(sound);
  const inner = (...one: Parameters<typeof encodeCbor>[0][]) => packed([[site], [one]]);
  const bad: unknown[] = [
    ...[7, null, "", "!", `${text} `, text.slice(0, -4), `${text}AAAA`, "A".repeat(9000)],
    inner(Uint8Array.of(1), 1, list, 1, 1),
    inner(new Uint8Array(MAX_COPIES + 1), 1, list, 1, 1),
    inner(Uint8Array.of(0), -1, list, 1, 1),
    inner(Uint8Array.of(0), 0.5, list, 1, 1),
    inner(Uint8Array.of(0), 1, list.subarray(1), 1, 1),
    inner(Uint8Array.of(0), 1, list, 1),
    inner([0], 1, list, 1, 1),
    packed([[site], []].concat([[]])),
    packed([Array.from({ length: 257 }, () => new Uint8Array(0)), []]),
    // 1 in two bytes: another encoding of the same.
    Buffer.from(
      Buffer.from(text, "base64").toString("hex").replace(/0101$/, "011801"),
      "hex",
    ).toString("base64"),
  ];
  for (const one of bad) assert.equal(placedGroups.safeParse(one).success, false, String(one));
  const main = placing([group]);
  const value = { ...main, groups: z.encode(placedGroups, main.groups) };
  assert.ok(placeRecord.safeParse(value).success);
  assert.ok(!placeRecord.safeParse({ ...value, groupCount: MAX_GROUPS + 1 }).success);
  assert.ok(!morePlaced.safeParse({ first: 1, groups: z.encode(placedGroups, []) }).success);
});

test("whatever is held is read as it was written, and every value fits", () => {
  const random = new SeededRandom(211);
  for (let round = 0; round < 30; round++) {
    const most = random.pick([10, MOST]);
    const numbers = Array.from({ length: MAX_GROUPS }, (_none, group) => group);
    const named = numbers.filter(() => random.chance(round / 20));
    const groups = named.map((group): HeldGroup => {
      return { group, generation: random.below(most), list: idOf<ListId>(sha256(`${group}`)) };
    });
    const letGo = named.map((group) => ({ group, groups: MAX_GROUPS }));
    const records = holdRecords(OWNER, SET, { storeId: STORE, groups, letGo });
    checkFit(records);
    assert.deepEqual(joinedHold(records), { storeId: STORE, groups, letGo });
  }
});

test("a holder's further record counts for its own groups and the store of the first", () => {
  const at = (...numbers: number[]): HeldGroup[] =>
    numbers.map((group) => ({ group, generation: 1, list: idOf<ListId>(sha256("list")) }));
  const wanted = { storeId: STORE, groups: at(1, HOLD_PAGE_GROUPS), letGo: [] };
  const records = holdRecords(OWNER, SET, wanted);
  const [main, second] = records;
  assert.ok(main !== undefined && second !== undefined && records.length === 2);
  const other = idOf<StoreId>(sha256("other").subarray(0, 16));
  const [, moved] = holdRecords(OWNER, SET, { ...wanted, storeId: other });
  assert.ok(moved !== undefined);
  assert.deepEqual(joinedHold([main, moved]).groups, at(1));
  assert.deepEqual(joinedHold([main, { key: second.key, value: main.value }]).groups, at(1));
  assert.deepEqual(joinedHold([main]).groups, at(1));
});

test("the key of a further record names no set", () => {
  const keys = placeRecords(SET, placing(groupsOf(MAX_GROUPS, () => ({})))).map(({ key }) => key);
  assert.ok(keys.length > 1);
  assert.deepEqual(keys.map(parsePlaceKey), [SET, ...keys.slice(1).map(() => undefined)]);
  assert.equal(parsePlaceKey(tipsKey(SET)), undefined);
  const [, further] = holdRecords(OWNER, SET, {
    ...{ storeId: STORE, letGo: [{ group: HOLD_PAGE_GROUPS, groups: MAX_GROUPS }], groups: [] },
  });
  assert.ok(further !== undefined);
  assert.equal(parseHoldKey(further.key), undefined);
});
