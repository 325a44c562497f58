import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { COUNTRY_COUNT, isCountry } from "../../../protocol/country.ts";
import { idOf, sha256, type OwnerId } from "../../../protocol/ids.ts";
import { placedGroups } from "../../../protocol/logs/packed-groups.ts";
import { NO_RULES, placeRecord } from "../../../protocol/logs/record.ts";

test("countries are those of ISO 3166-1, in capitals", () => {
  assert.equal(COUNTRY_COUNT, 249);
  for (const code of ["FR", "DE", "ZW", "AX"]) assert.ok(isCountry(code), code);
  for (const code of ["fr", "XX", "UK", "EU", "", "FRA", "F", " FR"]) assert.ok(!isCountry(code));
});

test("a record with rules that cannot be meant is none", () => {
  const owner = idOf<OwnerId>(sha256("owner"));
  const fields = { owner, name: "", keyEpoch: 0, copies: 3, head: null };
  const plain = { ...fields, groupCount: 0, groups: z.encode(placedGroups, []) };
  assert.deepEqual(placeRecord.parse(plain).rules, NO_RULES);
  const rules = { allow: ["FR"], deny: [], holders: null };
  assert.deepEqual(placeRecord.parse({ ...plain, rules }).rules, rules);
  const ids = (count: number): string[] => Array.from({ length: count }, () => owner as string);
  assert.ok(placeRecord.safeParse({ ...plain, rules: { ...rules, holders: ids(64) } }).success);
  for (const bad of [
    { allow: ["XX"] },
    { deny: ["FRANCE"] },
    { allow: "FR" },
    { deny: Array.from({ length: 250 }, () => "FR") },
    { holders: ["brest"] },
    { holders: ids(65) },
  ]) {
    const record = { ...plain, rules: { ...rules, ...bad } };
    assert.equal(placeRecord.safeParse(record).success, false, JSON.stringify(bad).slice(0, 60));
  }
});
