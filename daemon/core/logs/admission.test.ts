import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { applyUpdate, Doc, encodeStateAsUpdate, Map as YMap } from "yjs";
import { idOf, type LogId } from "../../../protocol/ids.ts";
import { clientIdOf } from "../../../protocol/logs/envelope.ts";
import { packVersion } from "../../../protocol/logs/record-version.ts";
import { admitUpdate, ROOT } from "./admission.ts";
import { LogWriter } from "./log-writer.ts";

const log = idOf<LogId>(new Uint8Array(16).fill(7));
const client = clientIdOf(log, 1);
const version = <Value>(value: Value) => ({ lamport: 1, supersedes: [], value });

/** An update by somebody who writes whatever it likes as this client. */
function forge(clientId: number, write: (doc: Doc) => void): Uint8Array {
  const doc = new Doc({ gc: false });
  doc.clientID = clientId;
  write(doc);
  return encodeStateAsUpdate(doc);
}

function clockAfterOf(update: Uint8Array, clock: number): number | string {
  const admission = admitUpdate(update, client, clock);
  return typeof admission === "string" ? admission : admission.clockAfter;
}

test("what our own writer makes is admitted, and says what was written", () => {
  fc.assert(
    fc.property(
      fc.array(fc.array(fc.tuple(fc.constantFrom("a", "b", "c"), fc.nat(99)), { minLength: 1 })),
      (batches) => {
        const writer = new LogWriter(log, 1, []);
        const reader = new Doc();
        const expected = new Map<string, number>();
        let clock = 0;
        for (const batch of batches) {
          const records = new Map(batch.map(([key, value]) => [key, version(value)] as const));
          const { bytes, clockBefore, clockAfter } = writer.update(records);
          assert.equal(clockBefore, clock);
          assert.equal(clockAfterOf(bytes, clock), clockAfter);
          applyUpdate(reader, bytes);
          clock = clockAfter;
          for (const [key, { value }] of records) expected.set(key, value);
        }
        const read = reader.getMap<{ x: number }>(ROOT);
        const shown = new Map([...read.entries()].map(([key, { x }]) => [key, x] as const));
        assert.deepEqual(shown, expected);
      },
    ),
    { numRuns: 50 },
  );
});

test("the update of another client is refused", () => {
  const update = forge(client + 1, (doc) => doc.getMap(ROOT).set("a", packVersion(version(1))));
  assert.equal(admitUpdate(update, client, 0), "foreign-client");
});

test("the deletion of another client's entries is refused, future ones too", () => {
  // No structs; one client in the delete set, with one range [0, 2^40).
  const range = [0x80, 0x80, 0x80, 0x80, 0x80, 0x20];
  const update = Uint8Array.of(0, 1, 42, 1, 0, ...range);
  assert.equal(admitUpdate(update, client, 0), "foreign-delete");
  assert.equal(admitUpdate(update, 42, 3), "delete-unknown");
});

test("a gap in the clock, and one place twice, are refused", () => {
  const writer = new LogWriter(log, 1, []);
  const first = writer.update([["a", version(1)]]);
  const second = writer.update([["a", version(2)]]);
  assert.equal(admitUpdate(second.bytes, client, 0), "clock");
  assert.equal(admitUpdate(first.bytes, client, 1), "clock");
});

test("nested types, other roots, texts and foreign values are refused", () => {
  const set = (value: unknown) => (doc: Doc) => doc.getMap(ROOT).set("a", value);
  const hostile: readonly ((doc: Doc) => void)[] = [
    set(new YMap()),
    set("not a version"),
    set({ l: 1, s: [], x: 1, more: 1 }),
    set({ l: 1, s: [], x: new Uint8Array(3) }),
    set({ l: 1, s: [], x: "x".repeat(9000) }),
    set({ l: 0, s: [], x: 1 }),
    set({ l: 1, s: ["short"], x: 1 }),
    set({ l: 1, s: [], x: Number.NaN }),
    (doc) => doc.getMap("other").set("a", packVersion(version(1))),
    (doc) => doc.getMap(ROOT).set("k".repeat(500), packVersion(version(1))),
    (doc) => doc.getMap(ROOT).set("", packVersion(version(1))),
    (doc) => doc.getText(ROOT).insert(0, "text"),
    (doc) => doc.getArray(ROOT).insert(0, [packVersion(version(1)), packVersion(version(2))]),
  ];
  for (const write of hostile) {
    const admission = admitUpdate(forge(client, write), client, 0);
    assert.equal(typeof admission, "string", `${write.toString()} was admitted`);
  }
});

test("a collected item that burns the clock is refused", () => {
  // One GC struct (info 0) of length 2^31 for the writer's own client.
  const varint = (value: bigint): number[] => {
    const bytes: number[] = [];
    for (; value > 127n; value >>= 7n) bytes.push(Number(value & 127n) | 128);
    return [...bytes, Number(value)];
  };
  const update = [1, 1, ...varint(BigInt(client)), 0, 0, ...varint(2n ** 31n), 0];
  assert.equal(admitUpdate(Uint8Array.from(update), client, 0), "content");
});

test("every other encoding of an update that would be admitted is refused", () => {
  const writer = new LogWriter(log, 1, [["a", version(3)]]);
  const { bytes } = writer.update([["a", version(4)]]);
  const hex = Buffer.from(bytes).toString("hex");
  const change = (from: string, to: string): string => {
    assert.ok(hex.includes(from), `${from} in ${hex}`);
    return hex.replace(from, to);
  };
  const value = "7603016c7d01017375000178";
  const other = {
    "bytes after the end": `${hex}00`,
    "a longer number of clients": hex.replace(/^01/, "8100"),
    "a float for a whole number": change(`${value}7d04`, `${value}7c40800000`),
    "a double for a whole number": change(`${value}7d04`, `${value}7b4010000000000000`),
    "a key twice": change("7603016c7d01", "7604016c7d01016c7d01"),
    "a flag that says nothing": change("a8", "88"),
    "a key that is no UTF-8": change("017375000178", "01f375000178"),
    "ranges that touch": `${hex.slice(0, -6)}020000` + `00010001`,
    "an empty range of clients": `${hex.slice(0, -2 * 11)}01${hex.slice(-2 * 10, -6)}00`,
  };
  assert.equal(clockAfterOf(bytes, 1), 2);
  for (const [name, changed] of Object.entries(other)) {
    const admission = admitUpdate(Uint8Array.from(Buffer.from(changed, "hex")), client, 1);
    assert.equal(typeof admission, "string", `${name} was admitted`);
  }
});

test("whatever is admitted neither throws, nor waits, nor fails to load again", () => {
  const writer = new LogWriter(log, 1, [["a", version("one")]]);
  const updates = [
    writer.update([
      ["a", version("two")],
      ["b", version("three")],
    ]).bytes,
    writer.update([["a", version("four")]]).bytes,
  ];
  let admitted = 0;
  const [last = new Uint8Array()] = updates.slice(-1);
  for (let at = 0; at < last.length * 8; at++) {
    const flipped = Uint8Array.from(last);
    flipped[at >> 3] = (flipped[at >> 3] ?? 0) ^ (1 << (at & 7));
    if (typeof admitUpdate(flipped, client, 3) === "string") continue;
    admitted += 1;
    const doc = new Doc();
    for (const bytes of [writer.snapshot.bytes, ...updates.slice(0, -1), flipped]) {
      applyUpdate(doc, bytes);
    }
    assert.equal(doc.store.pendingStructs, null);
    assert.equal(doc.store.pendingDs, null);
    const again = new Doc();
    applyUpdate(again, encodeStateAsUpdate(doc));
    assert.deepEqual(again.getMap(ROOT).toJSON(), doc.getMap(ROOT).toJSON());
  }
  assert.ok(admitted > 0, "some flips stay well-formed: those are the signature's job");
});
