import assert from "node:assert/strict";
import { test } from "node:test";
import { Founding, testKey } from "../../../test-mesh/fakes/founding.ts";
import { FreeLog } from "../../../test-mesh/hostile/free-log.ts";
import { honest } from "../../../test-mesh/hostile/yjs-attacks.ts";
import { MAX_AUTHOR_BYTES, roomOf } from "./author-room.ts";

const mesh = new Founding("room").meshId;

test("as many of the smallest records as fit take no more memory than a small box has", () => {
  const log = new FreeLog(testKey("thief"), mesh, "tiny");
  const records = Array.from({ length: 2_000 }, (_, i) => honest(i.toString(36), 0));
  const perLog = roomOf(log.snapshot(records));
  const most = Math.floor(MAX_AUTHOR_BYTES / perLog) * records.length;
  assert.ok(most < 2_000_000, `${most} records`);
});

test("as many of the smallest logs as fit are no more than a small box can hold", () => {
  const room = roomOf(new FreeLog(testKey("thief"), mesh, "empty").snapshot());
  assert.ok(MAX_AUTHOR_BYTES / room < 65_536);
});

test("a clock that nobody can have counts as the most that is admitted", () => {
  const log = new FreeLog(testKey("thief"), mesh, "clock");
  log.snapshot();
  const entry = log.sign({ bytes: Uint8Array.of(0, 0), clockAfter: 2 ** 50 });
  assert.ok(roomOf(entry) < 1024 * 1024);
});
