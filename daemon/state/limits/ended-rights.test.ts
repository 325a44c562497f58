/** What shows of rights that were taken back, whatever a node got first, pruned or never had. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeTime } from "../../../test-mesh/fakes/clock.ts";
import { Founding, testKey } from "../../../test-mesh/fakes/founding.ts";
import { bring, startMember, startState } from "../../../test-mesh/fakes/state-node.ts";
import { FakeDisk } from "../../../test-mesh/fakes/store.ts";
import { ForkingLog } from "../../../test-mesh/hostile/forking-log.ts";
import type { Envelope } from "../../../protocol/logs/envelope.ts";
import { idOf, sha256, type EnvelopeId, type SiteId } from "../../../protocol/ids.ts";
import type { LogHead } from "../../../protocol/logs/log-head.ts";
import type { State } from "../state.ts";

const A = "bzh.example/a/A/1";
const B = "bzh.example/b/A/1";
const OTHER = "other.example/a/A/1";
const DAY_MS = 24 * 3600 * 1000;
const author = idOf<SiteId>(testKey("thief").publicKey);

function founded() {
  const founding = new Founding("ended rights");
  for (const name of ["quimper", "brest"]) founding.grant(founding.enrol(name), "zone", null);
  founding.enrol("thief");
  return founding;
}

function zone(state: State): Record<string, unknown> {
  const shown = state.view().entries("zone");
  return Object.fromEntries(shown.map(({ key, value }) => [key, value]));
}

function headOf({ log, header, id }: Envelope): LogHead {
  return { log, seq: header.seq, head: id };
}

async function take(state: State, entries: readonly Envelope[]): Promise<unknown[]> {
  const results: unknown[] = [];
  for (const { bytes } of entries) results.push(await state.replica.receiveEnvelope(bytes, author));
  return results;
}

function assertEqual(one: State, other: State): void {
  assert.equal(one.replica.stateDigest(), other.replica.stateDigest());
  assert.deepEqual(zone(one), zone(other));
  assert.equal(one.view().hash, other.view().hash);
}

test("a log that comes after what took it up shows at once what a right left of it", async () => {
  const founding = founded();
  const right = founding.grant(author, "zone", "bzh.example");
  const old = new ForkingLog(founding.meshId, testKey("thief"), { class: "zone", name: "old" });
  const entries = [old.snapshot(), old.update({ [A]: "then" })];
  const [, named] = entries;
  assert.ok(named);
  const next = { class: "zone", name: "next", started: 9 } as const;
  const fresh = new ForkingLog(founding.meshId, testKey("thief"), next);
  const later = [fresh.snapshot({ retires: [old.taken()] })];
  founding.ungrant([right], [headOf(named)]);
  const [one, other] = [
    await startMember("quimper", founding.statements),
    await startMember("brest", founding.statements),
  ];
  await take(one, [...entries, ...later]);
  await take(other, later);
  assert.deepEqual(zone(other), {});
  await take(other, entries);
  assert.deepEqual(zone(other), { [A]: "then" });
  assertEqual(one, other);
});

test("a named log goes on where it was interrupted, also below the floor of a later one", async () => {
  const founding = founded();
  const right = founding.grant(author, "zone", "bzh.example");
  const old = new ForkingLog(founding.meshId, testKey("thief"), { class: "zone", name: "old" });
  const entries = [old.snapshot(), old.update({ [A]: "1" }), old.update({ [A]: "2" })];
  const next = { class: "zone", name: "next", started: 9 } as const;
  const fresh = new ForkingLog(founding.meshId, testKey("thief"), next);
  const later = [fresh.snapshot({ floor: 8 })];
  const last = entries.at(-1);
  assert.ok(last);
  const [one, other] = [
    await startMember("quimper", founding.statements),
    await startMember("brest", founding.statements),
  ];
  await take(one, entries);
  await take(other, entries.slice(0, 2));
  for (const state of [one, other]) await take(state, later);
  founding.ungrant([right], [headOf(last)]);
  for (const state of [one, other]) await state.addStatements(founding.statements);
  await bring(one, other);
  assert.deepEqual(zone(other), { [A]: "2" });
  assertEqual(one, other);
});

test("a place that some have pruned comes back from those who have not", async () => {
  const founding = founded();
  founding.grant(author, "zone", "other.example");
  const right = founding.grant(author, "zone", "bzh.example");
  const log = new ForkingLog(founding.meshId, testKey("thief"), { class: "zone" });
  const entries: Envelope[] = [];
  let beside = log;
  for (let at = 0; at < 5; at++) {
    entries.push(log.snapshot());
    if (at === 1) beside = log.fork();
    entries.push(log.update({ [A]: `${at}`, [OTHER]: `${at}` }));
  }
  const [named, before] = [entries[3], entries[2]];
  assert.ok(named && before);
  const disks = { one: new FakeDisk(), other: new FakeDisk() };
  const one = await startMember("quimper", founding.statements, disks.one);
  const time = new FakeTime(7);
  const ahead = await startState("brest", disks.other, time.clock());
  await ahead.addStatements(founding.statements);
  await take(one, entries);
  for (const entry of entries) {
    await take(ahead, [entry]);
    await time.advance(3650 * DAY_MS);
  }
  assert.ok((ahead.replica.position(log.log)?.fromSeq ?? 0) > 4, "it was pruned");
  founding.ungrant([right], [headOf(named)]);
  for (const state of [one, ahead]) await state.addStatements(founding.statements);
  assert.notEqual(one.replica.stateDigest(), ahead.replica.stateDigest());
  // What the author signed beside the history that was pruned does not get in its place.
  await take(ahead, [before, beside.update({ [A]: "beside" })]);
  assert.deepEqual(zone(ahead), { [OTHER]: "4" });
  await bring(one, ahead);
  assert.deepEqual(zone(one), { [A]: "1", [OTHER]: "4" });
  assertEqual(one, ahead);
  // It stays, over starts and later snapshots, and goes on to whoever comes.
  const again = await startState("brest", disks.other, time.clock());
  assertEqual(one, again);
  const more = [log.snapshot(), log.update({ [OTHER]: "5" }), log.snapshot(), log.snapshot()];
  for (const state of [one, again]) await take(state, more);
  assertEqual(one, again);
  const late = await startMember("lorient", founding.statements);
  await bring(again, late);
  assertEqual(one, late);
});

test("a place comes although all have lost what follows it", async () => {
  const founding = founded();
  const right = founding.grant(author, "zone", "bzh.example");
  const log = new ForkingLog(founding.meshId, testKey("thief"), { class: "zone" });
  const entries = [log.snapshot(), log.update({ [A]: "1" }), log.update({ [A]: "2" })];
  const [first, named, lost] = entries;
  const last = log.snapshot();
  assert.ok(first && named && lost);
  founding.ungrant([right], [headOf(named)]);
  const one = await startMember("quimper", founding.statements);
  const other = await startMember("brest", founding.statements);
  const headers: Uint8Array[] = [];
  const whole = await startMember("quimper", founding.statements);
  await take(whole, [...entries, last]);
  for await (const bytes of whole.replica.headersOf(log.log, 0, "snapshots")) headers.push(bytes);
  for (const [state, held] of [
    [one, [first, named]],
    [other, [first]],
  ] as const) {
    await take(state, held);
    for (const bytes of headers) await state.replica.receiveHeader(bytes, author);
    await take(state, [last]);
    assert.equal(state.replica.position(log.log)?.seq, 4);
  }
  assert.deepEqual([zone(one), zone(other)], [{ [A]: "1" }, {}]);
  await take(other, [first, named]);
  assert.deepEqual(zone(other), { [A]: "1" });
  assertEqual(one, other);
});

test("a place that nobody holds any more shows nothing, everywhere alike", async () => {
  const founding = founded();
  const right = founding.grant(author, "zone", null);
  const log = new ForkingLog(founding.meshId, testKey("thief"), { class: "zone" });
  const entries: Envelope[] = [];
  for (let at = 0; at < 5; at++) entries.push(log.snapshot(), log.update({ [A]: `${at}` }));
  const named = entries[3];
  assert.ok(named);
  const time = new FakeTime(7);
  const ahead = await startState("brest", new FakeDisk(), time.clock());
  await ahead.addStatements(founding.statements);
  for (const entry of entries) {
    await take(ahead, [entry]);
    await time.advance(3650 * DAY_MS);
  }
  founding.ungrant([right], [headOf(named)]);
  await ahead.addStatements(founding.statements);
  assert.deepEqual(zone(ahead), {});
  const late = await startMember("quimper", founding.statements);
  await bring(ahead, late);
  assertEqual(ahead, late);
});

test("rights of one zone and of all, taken back and given again in turn", async () => {
  const founding = founded();
  const log = new ForkingLog(founding.meshId, testKey("thief"), { class: "zone" });
  const disk = new FakeDisk();
  const node = await startMember("quimper", founding.statements, disk);
  const entries = [log.snapshot()];
  const write = async (values: Record<string, string>): Promise<LogHead> => {
    const entry = log.update(values);
    entries.push(entry);
    await take(node, [entry]);
    return headOf(entry);
  };
  await take(node, entries);
  const step = async (expected: Record<string, string>): Promise<void> => {
    await node.addStatements(founding.statements);
    assert.deepEqual(zone(node), expected);
    assertEqual(node, await startState("quimper", disk.copy()));
    const fresh = await startMember("brest", founding.statements);
    await take(fresh, entries);
    assertEqual(node, fresh);
  };
  const first = founding.grant(author, "zone", "bzh.example");
  await step({});
  const one = await write({ [A]: "1", [OTHER]: "1" });
  await step({ [A]: "1" });
  founding.ungrant([first], [one]);
  await write({ [A]: "2" });
  await step({ [A]: "1" });
  const all = founding.grant(author, "zone", null);
  await step({ [A]: "2", [OTHER]: "1" });
  const three = await write({ [A]: "3", [B]: "3" });
  founding.ungrant([all], [three]);
  await write({ [A]: "4", [OTHER]: "4" });
  await step({ [A]: "3", [B]: "3", [OTHER]: "1" });
  const second = founding.grant(author, "zone", "bzh.example");
  await step({ [A]: "4", [B]: "3", [OTHER]: "1" });
  // The second UNGRANT names another log, a place beyond the end and one that nobody ever signed.
  const foreign = { ...three, log: idOf<LogHead["log"]>(sha256("foreign").subarray(0, 16)) };
  founding.ungrant([second], [foreign]);
  await step({ [A]: "3", [B]: "3", [OTHER]: "1" });
  const third = founding.grant(author, "zone", "bzh.example");
  const never = idOf<EnvelopeId>(sha256("never signed"));
  founding.ungrant([third], [{ ...three, seq: 5, head: never }]);
  await step({ [OTHER]: "1" });
});

test("a named log stays and comes, however many logs its author opens besides", async () => {
  const founding = founded();
  founding.grant(author, "zone", "other.example");
  const right = founding.grant(author, "zone", "bzh.example");
  const logs = Array.from({ length: 17 }, (_, index) => {
    const place = { class: "zone", name: `log ${index}` } as const;
    return new ForkingLog(founding.meshId, testKey("thief"), place);
  });
  const [highest, ...lower] = logs.toSorted((a, b) => (a.log < b.log ? 1 : -1));
  assert.ok(highest);
  const entries = [highest.snapshot(), highest.update({ [A]: "then" })];
  const [, named] = entries;
  assert.ok(named);
  founding.ungrant([right], [headOf(named)]);
  const [one, other] = [
    await startMember("quimper", founding.statements),
    await startMember("brest", founding.statements),
  ];
  const others = lower.map((log) => log.snapshot());
  await take(one, [...entries, ...others]);
  await take(other, others);
  await bring(one, other);
  assert.deepEqual(zone(one), { [A]: "then" });
  assertEqual(one, other);
  assert.equal(one.logHeads().length, 17);
});
