/** How much is kept, and for how long. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeTime } from "../../../test-mesh/fakes/clock.ts";
import { Founding, testKey } from "../../../test-mesh/fakes/founding.ts";
import { bring, startMember } from "../../../test-mesh/fakes/state-node.ts";
import { FakeDisk } from "../../../test-mesh/fakes/store.ts";
import { ForkingLog } from "../../../test-mesh/hostile/forking-log.ts";
import type { Envelope } from "../../../protocol/logs/envelope.ts";
import { decodeSignedHeader } from "../../../protocol/logs/signed-header.ts";
import { idOf, type SiteId } from "../../../protocol/ids.ts";
import { silentLogger } from "../../observe/log.ts";
import { State } from "../state.ts";
import { MAX_AUTHOR_BYTES } from "./author-room.ts";

const YEAR_MS = 365 * 24 * 3600 * 1000;

function founded(): Founding {
  const founding = new Founding("keep");
  for (const name of ["quimper", "thief"]) founding.enrol(name);
  return founding;
}

async function start(
  founding: Founding,
  options: { readonly wallOffsetMs?: number; readonly authorRoomBytes?: number } = {},
  disk = new FakeDisk(),
): Promise<{ state: State; time: FakeTime; disk: FakeDisk }> {
  const { wallOffsetMs = 0, ...more } = options;
  const time = new FakeTime(1);
  const clock = time.clock(wallOffsetMs);
  const siteKey = testKey("quimper");
  const state = await State.open({
    store: disk.open(),
    clock,
    log: silentLogger,
    siteKey,
    ...more,
  });
  await state.addStatements(founding.statements);
  return { state, time, disk };
}

async function take(state: State, entries: readonly Envelope[]): Promise<unknown[]> {
  const results: unknown[] = [];
  for (const { bytes } of entries) {
    results.push(await state.replica.receiveEnvelope(bytes, state.siteId));
  }
  return results;
}

function storedBytes(disk: FakeDisk): number {
  return [...disk.content]
    .filter(([key]) => key.startsWith("entry/") || key.startsWith("header/"))
    .reduce((sum, [, bytes]) => sum + bytes.length, 0);
}

test("a flooding author fills its own room, and what may go makes place first", async () => {
  const founding = founded();
  const authorRoomBytes = 40_000;
  const { state, disk } = await start(founding, { authorRoomBytes });
  const log = new ForkingLog(founding.meshId, testKey("thief"), {});
  await take(state, [log.snapshot()]);
  let refused = 0;
  for (let round = 0; round < 30; round++) {
    const [taken] = await take(state, [log.update({ a: `${round} ${"x".repeat(2000)}` })]);
    if (taken === "accepted") continue;
    assert.deepEqual(taken, { refused: "E-STATE-FULL" });
    refused += 1;
    break;
  }
  assert.equal(refused, 1);
  assert.deepEqual(state.troubles().overQuota, [log.author]);
  assert.ok(storedBytes(disk) < authorRoomBytes + 4096);
  await state.write([{ class: "note", key: "mine", value: "is not in the way" }]);
  // With snapshots in between, what they cover goes at once; only their headers stay.
  const room = { authorRoomBytes: 2 * authorRoomBytes };
  const { state: other, disk: small } = await start(founding, room);
  const steady = new ForkingLog(founding.meshId, testKey("thief"), {});
  for (let round = 0; round < 60; round++) {
    const entries = [steady.snapshot(), steady.update({ a: `${round} ${"x".repeat(2000)}` })];
    assert.deepEqual(await take(other, entries), ["accepted", "accepted"]);
  }
  assert.deepEqual(other.troubles().overQuota, []);
  assert.ok(storedBytes(small) < 2 * authorRoomBytes + 4096);
});

test("clocks ten years off, of authors and of nodes, change neither view nor digest", async () => {
  const founding = founded();
  const offsets = [0, -10 * YEAR_MS, 10 * YEAR_MS];
  const log = new ForkingLog(founding.meshId, testKey("thief"), {});
  const entries: Envelope[] = [];
  for (let round = 0; round < 6; round++) {
    const wallMs = (round % 3) * 10 * YEAR_MS;
    entries.push(log.snapshot({ wallMs }), log.update({ [`k${round}`]: "v" }, { wallMs }));
  }
  const seen = new Set<string>();
  for (const wallOffsetMs of offsets) {
    const { state, time, disk } = await start(founding, { wallOffsetMs });
    for (const entry of entries) {
      await take(state, [entry]);
      await time.advance(40 * 24 * 3600 * 1000);
    }
    seen.add(`${state.view().hash} ${state.replica.stateDigest()}`);
    for (const again of offsets) {
      const { state: later } = await start(founding, { wallOffsetMs: again }, disk);
      seen.add(`${later.view().hash} ${later.replica.stateDigest()}`);
    }
  }
  assert.equal(seen.size, 1);
});

test("a snapshot whose header came before it has one header, also when it is pruned", async () => {
  const founding = founded();
  const log = new ForkingLog(founding.meshId, testKey("thief"), {});
  const entries: Envelope[] = [];
  for (let at = 0; at < 5; at++) entries.push(log.snapshot(), log.update({ [`k${at}`]: "v" }));
  const { state } = await start(founding);
  await take(state, entries);
  const headers: Uint8Array[] = [];
  for await (const bytes of state.replica.headersOf(log.log, 0, "snapshots")) headers.push(bytes);
  assert.equal(headers.length, 5);
  // A node that was away: the chain of snapshots first, then the entries from some place on.
  const { state: late, time } = await start(founding);
  for (const bytes of headers.slice(0, 3)) await late.replica.receiveHeader(bytes, state.siteId);
  assert.deepEqual(await take(late, entries.slice(4, 6)), ["accepted", "accepted"]);
  await time.advance(200 * 24 * 3600 * 1000);
  await take(late, entries.slice(6));
  await time.advance(200 * 24 * 3600 * 1000);
  const next = [log.snapshot(), log.update({ z: "v" })];
  assert.deepEqual(await take(late, next), ["accepted", "accepted"]);
  const seqs: number[] = [];
  for await (const bytes of late.replica.headersOf(log.log, 0, "snapshots")) {
    seqs.push(decodeSignedHeader(bytes).header.seq);
  }
  assert.deepEqual(seqs, [1, 3, 5, 7, 9, 11]);
});

test("a log that is held with a gap is said to begin behind it", async () => {
  const founding = founded();
  const log = new ForkingLog(founding.meshId, testKey("thief"), {});
  const entries: Envelope[] = [];
  for (let at = 0; at < 4; at++) entries.push(log.snapshot(), log.update({ [`k${at}`]: "v" }));
  const { state: whole } = await start(founding);
  await take(whole, entries);
  const { state: away, disk } = await start(founding);
  await take(away, entries.slice(0, 2));
  for await (const bytes of whole.replica.headersOf(log.log, 0, "snapshots")) {
    await away.replica.receiveHeader(bytes, whole.siteId);
  }
  assert.deepEqual(await take(away, entries.slice(6)), ["accepted", "accepted"]);
  // Who asks from the first entry on needs the headers of the snapshots in the gap.
  assert.equal(away.replica.position(log.log)?.fromSeq, 7);
  const { state: again } = await start(founding, {}, disk);
  assert.equal(again.replica.position(log.log)?.fromSeq, 7);
});

test("an honest site with 100,000 small records may write all of them again and again", async () => {
  const founding = founded();
  founding.grant(idOf<SiteId>(testKey("thief").publicKey), "zone", null);
  const writer = await startMember("thief", founding.statements);
  // They fill 56 parts of 1,800: this node has room for one of these, and no more.
  const { state: reader } = await start(founding, { authorRoomBytes: MAX_AUTHOR_BYTES / 56 });
  for (let round = 0; round < 10; round++) {
    for (let from = 0; from < 1800; from += 200) {
      const changes = Array.from({ length: 200 }, (_, at) => {
        return { class: "zone" as const, key: `e.org/${from + at}/A/1`, value: round };
      });
      await writer.write(changes);
      await bring(writer, reader);
      assert.deepEqual(reader.troubles().overQuota, [], `round ${round}, record ${from}`);
    }
  }
  assert.equal(reader.view().hash, writer.view().hash);
});
