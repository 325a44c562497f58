import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonValue } from "../../../protocol/encoding/json-value.ts";
import { Founding, testKey } from "../../../test-mesh/fakes/founding.ts";
import { RecordView } from "../../../test-mesh/fakes/record-view.ts";
import {
  idOf,
  sha256,
  type MeshId,
  type OwnerId,
  type SetId,
  type StatementId,
} from "../../../protocol/ids.ts";
import { objectionKey, signObjection } from "../../../protocol/backup/objection.ts";
import { lockKey } from "../../../protocol/logs/hold-record.ts";
import type { SigningKey } from "../../../protocol/keys/signature.ts";
import { authorize } from "../authority/authorize.ts";
import { objectionsTo } from "./objectors.ts";
import { pendingLocks } from "./pending-locks.ts";

const SET = "00112233445566778899aabbccddeeff" as SetId;

function stage() {
  const founding = new Founding();
  const home = founding.enrol("home");
  const holder = founding.enrol("holder");
  const owner = founding.own("people");
  const other = founding.own("others");
  const statement = founding.delegate("people", home, null, 0);
  const view = new RecordView();
  const put = (key: SigningKey, about: { owner?: typeof owner; mesh?: MeshId } = {}): void => {
    const mesh = about.mesh ?? founding.meshId;
    const signed = signObjection(key, { mesh, owner: about.owner ?? owner, statement });
    const value = { owner: about.owner ?? owner, signature: signed.signature };
    view.put(home, "hold", objectionKey(statement, signed.key), value);
  };
  const found = (of: StatementId = statement): readonly string[] =>
    objectionsTo(view, authorize(founding.statements), { owner, statement: of });
  const told = () => pendingLocks(view, authorize(founding.statements));
  return { founding, home, holder, owner, other, statement, view, put, found, told };
}

const keyOf = (key: SigningKey): string => idOf(key.publicKey);

test("the owner's key and every operator may object, at any site", () => {
  const { founding, put, found } = stage();
  assert.deepEqual(found(), []);
  put(founding.operator);
  assert.deepEqual(found(), [keyOf(founding.operator)]);
  put(founding.ownerKey("people"));
  assert.equal(found().length, 2);
});

test("sites, strangers, other owners and suspended operators may not", () => {
  const { founding, put, found } = stage();
  put(testKey("home"));
  put(testKey("stranger"));
  put(founding.ownerKey("others"));
  assert.deepEqual(found(), []);
  put(founding.operator);
  founding.suspend(idOf(founding.operator.publicKey));
  assert.deepEqual(found(), []);
});

test("an objection counts for its mesh, its owner and its statement only, and as it was signed", () => {
  const { founding, home, other, owner, statement, view, put, found } = stage();
  put(founding.operator, { owner: other });
  assert.deepEqual(found(), []);
  put(founding.operator, { mesh: idOf<MeshId>(sha256("another mesh")) });
  assert.deepEqual(found(), []);
  const key = objectionKey(statement, keyOf(founding.operator));
  for (const signature of ["", "00".repeat(64), "zz".repeat(64), 7]) {
    view.put(home, "hold", key, { owner, signature });
    assert.deepEqual(found(), []);
  }
  put(founding.operator);
  assert.equal(found().length, 1);
  assert.deepEqual(found(idOf<StatementId>(sha256("another"))), []);
});

test("many sites with unsound words take the place of no sound one", () => {
  const { founding, statement, owner, view, put, found } = stage();
  const key = objectionKey(statement, keyOf(founding.operator));
  for (let n = 0; n < 100; n++) {
    const liar = founding.enrol(`liar-${n}`);
    view.put(liar, "hold", key, { owner, signature: "00".repeat(64) });
  }
  assert.deepEqual(found(), []);
  put(founding.operator);
  assert.deepEqual(found(), [keyOf(founding.operator)]);
});

test("what is pending at a holder is told everywhere, with its objections", () => {
  const { founding, holder, owner, statement, view, put, told } = stage();
  view.put(holder, "hold", lockKey(owner, SET), { days: 30, pending: null });
  assert.deepEqual(told(), []);
  const pending = { days: 0, statement, leftDays: 14 };
  view.put(holder, "hold", lockKey(owner, SET), { days: 30, pending });
  const shown = { days: 30, wantedDays: 0, statement, leftDays: 14 };
  assert.deepEqual(told(), [{ owner, set: SET, site: holder, ...shown, objections: [] }]);
  put(founding.operator);
  assert.deepEqual(told()[0]?.objections, [keyOf(founding.operator)]);
  founding.epoch({ revokes: [{ site: holder, logs: [] }] });
  assert.deepEqual(told(), []);
});

test("what the owner's key did not sign is not told of", () => {
  const { holder, owner, other, statement, view, told } = stage();
  const value = { days: 30, pending: { days: 0, statement, leftDays: 14 } };
  const made = (key: string, changed: JsonValue = value): void =>
    view.put(holder, "hold", key, changed);
  made(lockKey(other, SET));
  made(lockKey(idOf<OwnerId>(sha256("nobody")), SET));
  made(`lock/${owner}/x`);
  for (const changed of [
    "30",
    { days: 30 },
    { ...value, days: -1 },
    { ...value, days: 0 },
    { ...value, pending: { ...value.pending, days: 7 } },
    { ...value, pending: { ...value.pending, statement: idOf(sha256("another")) } },
    { ...value, pending: { ...value.pending, leftDays: "14" } },
  ]) {
    made(lockKey(owner, SET), changed);
    assert.deepEqual(told(), [], JSON.stringify(changed));
  }
  made(lockKey(owner, SET));
  assert.equal(told().length, 1);
});
