import assert from "node:assert/strict";
import { test } from "node:test";
import { idOf, sha256, type OwnerId } from "../../../protocol/ids.ts";
import { offerRecord } from "../../../protocol/logs/record.ts";
import { termsFor } from "./lending.ts";

const GIB = 1024 ** 3;
const farm = idOf<OwnerId>(sha256("farm"));
const mill = idOf<OwnerId>(sha256("mill"));

test("everybody may use all of it, and send two in a hundred of its cap a day", () => {
  const all = { spaceBytes: 1000 * GIB, to: "all" } as const;
  assert.deepEqual(termsFor(all, farm), { capBytes: 1000 * GIB, dailyBytes: 20 * GIB });
  const capped = { ...all, capBytes: 100 * GIB };
  assert.deepEqual(termsFor(capped, farm), { capBytes: 100 * GIB, dailyBytes: 2 * GIB });
  assert.equal(termsFor({ ...all, spaceBytes: 0 }, farm), undefined);
});

test("those who are not named get nothing, and one may have terms of its own", () => {
  const offer = {
    ...{ spaceBytes: 100 * GIB, to: [farm, mill], capBytes: 10 * GIB, dailyBytes: GIB },
    owners: [
      { owner: mill, capBytes: 50 * GIB },
      { owner: mill, capBytes: 1 },
    ],
  };
  assert.deepEqual(termsFor(offer, farm), { capBytes: 10 * GIB, dailyBytes: GIB });
  assert.deepEqual(termsFor(offer, mill), { capBytes: 50 * GIB, dailyBytes: GIB });
  assert.equal(termsFor(offer, idOf<OwnerId>(sha256("inn"))), undefined);
  assert.equal(termsFor({ ...offer, spaceBytes: GIB }, mill)?.capBytes, GIB);
});

test("an offer that cannot be meant is none", () => {
  const offer = { spaceBytes: 1, usedBytes: 0, storeId: "00".repeat(16), to: "all" };
  assert.ok(offerRecord.safeParse(offer).success);
  for (const bad of [
    { to: "some" },
    { to: Array.from({ length: 65 }, () => farm) },
    { to: ["farm"] },
    { capBytes: -1 },
    { dailyBytes: 0.5 },
    { owners: [{ owner: "mill" }] },
    { owners: Array.from({ length: 65 }, () => ({ owner: mill })) },
  ]) {
    assert.equal(offerRecord.safeParse({ ...offer, ...bad }).success, false, JSON.stringify(bad));
  }
});
