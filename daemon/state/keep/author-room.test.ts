import assert from "node:assert/strict";
import { test } from "node:test";
import { Founding, testKey } from "../../../test-mesh/fakes/founding.ts";
import { FreeLog } from "../../../test-mesh/hostile/free-log.ts";
import { honest } from "../../../test-mesh/hostile/yjs-attacks.ts";
import type { Envelope } from "../../../protocol/logs/envelope.ts";
import { LogDocument } from "../../core/logs/log-document.ts";
import { HeldLog } from "../held-log.ts";
import { AuthorRoom, MAX_AUTHOR_BYTES } from "./author-room.ts";

const mesh = new Founding("room").meshId;

function freeLog(name: string): FreeLog {
  return new FreeLog(testKey("thief"), mesh, name);
}

/** What a log takes that was taken in as it stands. */
function held(...[first, ...more]: readonly [Envelope, ...Envelope[]]): HeldLog {
  const log = new HeldLog(first.log, first.header);
  const document = LogDocument.start(first);
  assert.ok(typeof document !== "string");
  log.document = document;
  log.append(first, 0);
  for (const entry of more) {
    assert.equal(document.apply(entry), undefined);
    log.append(entry, 0);
  }
  return log;
}

test("as many of the smallest records as fit take no more memory than a small box has", () => {
  const records = Array.from({ length: 2_000 }, (_, i) => honest(i.toString(36), 0));
  const perLog = held(freeLog("tiny").snapshot(records)).measureRoom();
  const most = Math.floor(MAX_AUTHOR_BYTES / perLog) * records.length;
  assert.ok(most * 400 < MAX_AUTHOR_BYTES, `${most} records`);
});

test("values of many small pieces count what they take, not what they are sent in", () => {
  // Measured: an empty map takes 66 bytes of memory, and two of an entry.
  const records = Array.from({ length: 10 }, (_, i) => {
    return honest(
      i.toString(36),
      Array.from({ length: 8000 }, () => ({})),
    );
  });
  const entry = freeLog("pieces").snapshot(records);
  assert.ok(held(entry).measureRoom() > 80_000 * 66);
});

test("as many of the smallest logs as fit are no more than a small box can hold", () => {
  const room = held(freeLog("empty").snapshot()).measureRoom();
  assert.ok(MAX_AUTHOR_BYTES / room < 65_536);
});

test("records that are written anew take no more room than before, but for their entries", () => {
  const log = freeLog("again");
  const records = Array.from({ length: 200 }, (_, i) => honest(i.toString(36), 0));
  const snapshot = log.snapshot(records);
  const updates = Array.from({ length: 20 }, (_, i) =>
    log.update(...records.map(([key]) => honest(key, i))),
  );
  const entriesBytes = updates.reduce((sum, { bytes }) => sum + bytes.length, 0);
  const [before, after] = [held(snapshot), held(snapshot, ...updates)];
  const more = after.measureRoom() - before.measureRoom();
  assert.ok(more < 2 * entriesBytes, `${more} for ${entriesBytes}`);
});

test("a log that goes gives its room back, one that is measured again takes it once", () => {
  const room = new AuthorRoom(10_000);
  const log = held(freeLog("one").snapshot());
  assert.ok(room.fits(log.author, 10_000));
  room.measure(log);
  room.measure(log);
  assert.ok(!room.fits(log.author, 6_000));
  assert.ok(room.fits(log.author, 5_000));
  room.release(log);
  assert.ok(room.fits(log.author, 10_000));
});

test("a full room is not looked through for each entry that does not fit", () => {
  const room = new AuthorRoom(10_000);
  const { author } = freeLog("many");
  assert.ok(room.mayYield(author, 1_000));
  room.noteFull(author, 1_000);
  assert.deepEqual([...room.full()], [author]);
  assert.ok(!room.mayYield(author, 2_000));
  assert.ok(room.mayYield(author, 11_000));
  room.noteTaken(author);
  assert.ok(room.mayYield(author, 11_001));
  assert.equal(room.full().size, 0);
});
