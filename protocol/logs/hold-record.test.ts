import assert from "node:assert/strict";
import { test } from "node:test";
import {
  auditKey,
  auditRecord,
  groupKey,
  hasGroup,
  intakeRecord,
  packGroups,
  parseGroupKey,
  repairRecord,
  SCRUB_KEY,
  scrubRecord,
} from "./hold-record.ts";
import { idOf, sha256, type OwnerId, type SetId } from "../ids.ts";
import { encodeJson } from "../encoding/json-value.ts";
import { isRecordKey, MAX_VALUE_BYTES } from "./record-version.ts";
import { holdKey, parseHoldKey } from "./record.ts";

const owner = idOf<OwnerId>(sha256("owner"));
const set = idOf<SetId>(sha256("set").subarray(0, 16));
const id = owner as string;

test("keys are read as they are written, and no kind is taken for another", () => {
  for (const group of [0, 7, 127]) {
    const key = groupKey("repair", owner, set, group);
    assert.ok(isRecordKey(key));
    assert.deepEqual(parseGroupKey("repair", key), { owner, set, group });
    assert.equal(parseGroupKey("intake", key), undefined);
  }
  assert.deepEqual(parseHoldKey(holdKey(owner, set)), { owner, set });
  const odd = ["", "/", "repair", `repair/${owner}/${set}`, `repair/${owner}/${set}/128`];
  odd.push(`repair/${owner}/${set}/01`, `repair/${owner}/${set}/1/`, `repair/${owner}/${set}/-1`);
  for (const key of odd) assert.equal(parseGroupKey("repair", key), undefined);
  for (const key of [...odd, auditKey(owner, set), SCRUB_KEY, owner]) {
    assert.equal(parseHoldKey(key), undefined);
  }
});

test("groups are packed and found again", () => {
  const packed = packGroups([0, 9, 127]);
  const found = Array.from({ length: 128 }, (_, at) => at).filter((at) => hasGroup(packed, at));
  assert.deepEqual(found, [0, 9, 127]);
});

test("findings about as many holders as a set may have fit into a record", () => {
  const finding = {
    ...{ site: id, storeId: set as string, outcome: "refused", atMs: 2e12, provenAtMs: 2e12 },
    ...{ leaves: 1e9, wholes: 1e9, lostShards: 1e6, lostGroups: packGroups([1]), silent: false },
    ...{ given: 2 ** 52, held: 2 ** 52, proven: 2 ** 52 },
  };
  const value = { holders: Array.from({ length: 24 }, () => finding) };
  assert.ok(auditRecord.safeParse(value).success);
  assert.ok(encodeJson(value).length <= MAX_VALUE_BYTES);
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
    auditRecord.safeParse({ holders: [{ site: id }] }),
  ];
  assert.ok(bad.every(({ success }) => !success));
});
