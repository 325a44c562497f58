import assert from "node:assert/strict";
import { test } from "node:test";
import {
  auditKey,
  auditPrefix,
  auditRecord,
  groupKey,
  hasGroup,
  intakeRecord,
  packGroups,
  parseAuditKey,
  parseGroupKey,
  repairRecord,
  SCRUB_KEY,
  scrubRecord,
} from "./hold-record.ts";
import { MAX_GROUPS } from "../backup/list.ts";
import { idOf, sha256, type OwnerId, type SetId, type SiteId } from "../ids.ts";
import { encodeJson } from "../encoding/json-value.ts";
import { isRecordKey, MAX_VALUE_BYTES } from "./record-version.ts";
import { holdKey, parseHoldKey } from "./record.ts";

const owner = idOf<OwnerId>(sha256("owner"));
const set = idOf<SetId>(sha256("set").subarray(0, 16));
const site = idOf<SiteId>(sha256("site"));
const id = owner as string;

test("keys are read as they are written, and no kind is taken for another", () => {
  for (const group of [0, 7, MAX_GROUPS - 1]) {
    const key = groupKey("repair", owner, set, group);
    assert.ok(isRecordKey(key));
    assert.deepEqual(parseGroupKey("repair", key), { owner, set, group });
    assert.equal(parseGroupKey("intake", key), undefined);
  }
  assert.deepEqual(parseHoldKey(holdKey(owner, set)), { owner, set });
  const odd = ["", "/", "repair", `repair/${owner}/${set}`, `repair/${owner}/${set}/${MAX_GROUPS}`];
  odd.push(`repair/${owner}/${set}/01`, `repair/${owner}/${set}/1/`, `repair/${owner}/${set}/-1`);
  for (const key of odd) assert.equal(parseGroupKey("repair", key), undefined);
  const audit = auditKey(owner, set, site);
  assert.ok(isRecordKey(audit) && audit.startsWith(auditPrefix(owner, set)));
  assert.deepEqual(parseAuditKey(audit), { owner, set, site });
  for (const key of [...odd, audit, SCRUB_KEY, owner]) assert.equal(parseHoldKey(key), undefined);
  for (const key of [...odd, `${audit}/`, auditPrefix(owner, set), audit.slice(1)]) {
    assert.equal(parseAuditKey(key), undefined);
  }
});

test("groups are packed and found again", () => {
  const all = Array.from({ length: MAX_GROUPS }, (_, at) => at);
  for (const some of [[], [0], [0, 9, 127], [MAX_GROUPS - 1], all]) {
    const packed = packGroups(some);
    assert.deepEqual(
      all.filter((at) => hasGroup(packed, at)),
      some,
    );
  }
  assert.equal(packGroups([]), "");
});

test("a finding fits into a record, whatever was lost", () => {
  const lost = packGroups(Array.from({ length: MAX_GROUPS }, (_, at) => at));
  const most = Number.MAX_SAFE_INTEGER;
  const value = {
    ...{ storeId: set as string, outcome: "refused", atMs: most, provenAtMs: most, silent: false },
    ...{ leaves: most, wholes: most, lostShards: most, lostGroups: lost },
    ...{ given: most, held: most, proven: most },
  };
  assert.ok(auditRecord.safeParse(value).success);
  assert.ok(encodeJson(value).length <= MAX_VALUE_BYTES);
  for (const lostGroups of [`${lost}00`, "0", "xx", "FF"]) {
    assert.equal(auditRecord.safeParse({ ...value, lostGroups }).success, false);
  }
});

test("records of a hostile author are refused", () => {
  const repair = { by: id, to: [id], generation: 1, list: id };
  assert.ok(repairRecord.safeParse(repair).success);
  const intake = { ...repair, bytes: 1, doneBytes: 0, endsAtMs: null, refused: null };
  assert.ok(intakeRecord.safeParse(intake).success);
  const bad = [
    repairRecord.safeParse({ ...repair, to: ["brest"] }),
    repairRecord.safeParse({ ...repair, generation: -1 }),
    intakeRecord.safeParse({ ...intake, doneBytes: 0.5 }),
    intakeRecord.safeParse({ ...intake, refused: "no" }),
    scrubRecord.safeParse({ atMs: 1, shards: 1, bytes: 1, damaged: "0", missing: 0 }),
    auditRecord.safeParse({ storeId: set }),
  ];
  assert.ok(bad.every(({ success }) => !success));
});
