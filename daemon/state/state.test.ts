import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeSignedHeader } from "../../protocol/logs/signed-header.ts";
import { Founding } from "../../test-mesh/fakes/founding.ts";
import { bring, startMember, startState } from "../../test-mesh/fakes/state-node.ts";
import { FakeDisk } from "../../test-mesh/fakes/store.ts";

const WWW = "bzh.example/www/A/1";

test("refuses to write before there is a mesh", async () => {
  const state = await startState("quimper");
  assert.equal(state.meshId, undefined);
  await assert.rejects(state.write([{ class: "site", key: "node", value: 1 }]), {
    code: "E-STATE-NO-MESH",
  });
});

test("a write is in the view, and there again after a power cut", async () => {
  const founding = new Founding();
  const quimper = founding.enrol("quimper");
  const disk = new FakeDisk();
  const state = await startMember("quimper", founding.statements, disk);
  assert.equal(state.meshId, founding.meshId);
  const value = { name: "web", ports: [80], ratio: 0.1, note: null };
  const { versions, entries } = await state.write([{ class: "site", key: "service/web", value }]);
  assert.equal(versions.length, 1);
  // A new log starts with a snapshot, the change is its first update.
  assert.deepEqual(
    entries.map(({ seq }) => seq),
    [1, 2],
  );
  assert.deepEqual(state.view().get("site", "service/web", quimper)?.value, value);
  disk.cutPower();
  const again = await startState("quimper", disk);
  assert.equal(again.view().hash, state.view().hash);
  assert.equal(again.replica.stateDigest(), state.replica.stateDigest());
  assert.equal(again.replica.statementDigest(), state.replica.statementDigest());
});

test("writes nothing when everything is so already", async () => {
  const founding = new Founding();
  founding.enrol("quimper");
  const state = await startMember("quimper", founding.statements);
  await state.write([{ class: "site", key: "node", value: { b: 1, a: [2] } }]);
  const again = await state.write([
    { class: "site", key: "node", value: { a: [2], b: 1 } },
    { class: "site", key: "never", value: undefined },
  ]);
  assert.deepEqual(again, { versions: [], entries: [] });
});

test("two writes at once both see what the other did", async () => {
  const founding = new Founding();
  founding.enrol("quimper");
  const state = await startMember("quimper", founding.statements);
  const set = (value: string) => state.write([{ class: "site", key: "node", value }]);
  await set("a");
  await Promise.all([set("b"), set("a")]);
  assert.equal(state.view().get("site", "node")?.value, "a");
});

test("all changes of a write are there, or none", async () => {
  const founding = new Founding();
  founding.enrol("quimper");
  const state = await startMember("quimper", founding.statements);
  const good = { class: "site", key: "node", value: 1 } as const;
  const { hash } = state.view();
  for (const bad of [
    { class: "zone", key: WWW, value: { data: "192.0.2.1" } },
    { class: "site", key: "", value: 1 },
    { class: "site", key: "a\u0007", value: 1 },
    { class: "site", key: "big", value: "x".repeat(8193) },
    { class: "site", key: "nan", value: Number.NaN },
  ] as const) {
    await assert.rejects(state.write([good, bad]), { name: "StateError" });
  }
  assert.equal(state.view().hash, hash);
});

test("a grant for one zone covers that zone alone", async () => {
  const founding = new Founding();
  const brest = founding.enrol("brest");
  founding.grant(brest, "zone", "bzh.example");
  const state = await startMember("brest", founding.statements);
  await state.write([{ class: "zone", key: WWW, value: { data: "192.0.2.1" } }]);
  await assert.rejects(state.write([{ class: "zone", key: "other.example/www/A/1", value: {} }]), {
    code: "E-STATE-RIGHT",
  });
  await assert.rejects(state.write([{ class: "policy", key: "a", value: 1 }]), {
    code: "E-STATE-RIGHT",
  });
});

test("the later writer of a shared record replaces what it had seen", async () => {
  const founding = new Founding();
  for (const name of ["quimper", "brest"]) founding.grant(founding.enrol(name), "zone", null);
  const quimper = await startMember("quimper", founding.statements);
  const brest = await startMember("brest", founding.statements.toReversed());
  await quimper.write([{ class: "zone", key: WWW, value: "192.0.2.1" }]);
  await bring(quimper, brest);
  await brest.write([{ class: "zone", key: WWW, value: "192.0.2.2" }]);
  await bring(brest, quimper);
  for (const state of [quimper, brest]) {
    assert.equal(state.view().get("zone", WWW)?.value, "192.0.2.2");
    assert.deepEqual(state.view().get("zone", WWW)?.conflicts, []);
  }
  await quimper.write([{ class: "zone", key: WWW, value: undefined }]);
  await bring(quimper, brest);
  assert.equal(brest.view().get("zone", WWW), undefined);
  assert.equal(brest.view().hash, quimper.view().hash);
});

test("two who did not see one another are a conflict, until somebody settles it", async () => {
  const founding = new Founding();
  for (const name of ["quimper", "brest"]) founding.grant(founding.enrol(name), "zone", null);
  const quimper = await startMember("quimper", founding.statements);
  const brest = await startMember("brest", founding.statements);
  await quimper.write([{ class: "zone", key: WWW, value: "192.0.2.1" }]);
  await brest.write([{ class: "zone", key: WWW, value: "192.0.2.2" }]);
  await bring(quimper, brest);
  await bring(brest, quimper);
  assert.equal(quimper.view().hash, brest.view().hash);
  const [entry] = quimper.view().entries("zone", "bzh.example/");
  assert.equal(entry?.conflicts.length, 1);
  await quimper.write([{ class: "zone", key: WWW, value: entry.value }]);
  await bring(quimper, brest);
  assert.deepEqual(brest.view().get("zone", WWW)?.conflicts, []);
  assert.equal(brest.view().get("zone", WWW)?.value, entry.value);
});

test("own classes have a key space for each author", async () => {
  const founding = new Founding();
  const sites = ["quimper", "brest"].map((name) => founding.enrol(name));
  const quimper = await startMember("quimper", founding.statements);
  const brest = await startMember("brest", founding.statements);
  await quimper.write([{ class: "site", key: "node", value: "q" }]);
  await brest.write([{ class: "site", key: "node", value: "b" }]);
  await bring(quimper, brest);
  const shown = brest.view().entries("site", "node");
  assert.deepEqual(
    shown.map(({ author }) => author),
    sites.toSorted(),
  );
  assert.equal(brest.view().get("site", "node", sites[0])?.value, "q");
});

test("an entry is provisional until another site has confirmed it", async () => {
  const founding = new Founding();
  const [quimper, brest] = ["quimper", "brest"].map((name) => founding.enrol(name));
  assert.ok(quimper && brest);
  const state = await startMember("quimper", founding.statements);
  await state.write([{ class: "site", key: "node", value: 1 }]);
  const entry = state.view().get("site", "node", quimper);
  assert.ok(entry);
  assert.deepEqual(state.confirmedBy(entry), []);
  state.replica.noteConfirmed(entry.log, entry.seq, brest);
  assert.deepEqual(state.confirmedBy(entry), [brest]);
});

test("many records go on in the next part, and come back", async () => {
  const founding = new Founding();
  founding.enrol("quimper");
  const disk = new FakeDisk();
  const state = await startMember("quimper", founding.statements, disk);
  const changes = Array.from({ length: 3000 }, (_, index) => ({
    class: "note" as const,
    key: `note/${index}`,
    value: { text: `note ${index} ${"x".repeat(60)}` },
  }));
  await state.write(changes);
  assert.equal(state.view().entries("note").length, 3000);
  const parts = new Set(state.logHeads().map(({ log }) => log));
  assert.ok(parts.size >= 2, "more than one part is in use");
  const brest = await startMember("brest", founding.statements);
  await bring(state, brest);
  assert.equal(brest.view().hash, state.view().hash);
  const again = await startState("quimper", disk);
  assert.equal(again.view().hash, state.view().hash);
});

test("a record that is written again and again stays within the limits of its log", async () => {
  const founding = new Founding();
  founding.enrol("quimper");
  const disk = new FakeDisk();
  const state = await startMember("quimper", founding.statements, disk);
  for (let round = 0; round < 900; round++) {
    await state.write([{ class: "site", key: "node", value: { round } }]);
  }
  const [head] = state.logHeads();
  assert.ok(head !== undefined);
  const snapshots: number[] = [];
  for await (const bytes of state.replica.headersOf(head.log, 0, "snapshots")) {
    snapshots.push(decodeSignedHeader(bytes).header.seq);
  }
  assert.ok((snapshots.at(-1) ?? 0) > 400, "a snapshot was made on the way");
  const brest = await startMember("brest", founding.statements);
  await bring(state, brest);
  assert.equal(brest.view().hash, state.view().hash);
  assert.equal((await startState("quimper", disk)).view().hash, state.view().hash);
});

test("a full disk refuses writes and keeps what was acknowledged", async () => {
  const founding = new Founding();
  founding.enrol("quimper");
  const disk = new FakeDisk();
  const state = await startMember("quimper", founding.statements, disk);
  await state.write([{ class: "site", key: "node", value: 1 }]);
  const { hash } = state.view();
  disk.failure = new Error("ENOSPC");
  await assert.rejects(state.write([{ class: "site", key: "node", value: 2 }]), {
    code: "E-STATE-STORE",
  });
  disk.failure = undefined;
  await assert.rejects(state.write([{ class: "site", key: "node", value: 3 }]), {
    code: "E-STATE-STORE",
  });
  const again = await startState("quimper", disk);
  assert.equal(again.view().hash, hash);
});

test("a closed state refuses writes", async () => {
  const founding = new Founding();
  founding.enrol("quimper");
  const state = await startMember("quimper", founding.statements);
  await state.close();
  await assert.rejects(state.write([{ class: "site", key: "node", value: 1 }]), {
    code: "E-STATE-CLOSED",
  });
});
