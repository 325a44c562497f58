import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { applyUpdate, Doc, encodeStateAsUpdate } from "yjs";
import { clientIdOf, type Envelope, type EnvelopeHeader } from "../../../protocol/logs/envelope.ts";
import { encodeJson, isJsonValue, type JsonValue } from "../../../protocol/encoding/json-value.ts";
import { idOf, type LogId, type SiteId, type VersionId } from "../../../protocol/ids.ts";
import { packVersion, type RecordVersion } from "../../../protocol/logs/record-version.ts";
import { ROOT } from "./admission.ts";
import { LogDocument } from "./log-document.ts";
import { LogWriter, type Payload } from "./log-writer.ts";

const log = idOf<LogId>(new Uint8Array(16).fill(7));
const author = idOf<SiteId>(new Uint8Array(32).fill(9));

type Record = readonly [key: string, version: RecordVersion];

/** An entry as the document sees it: its signature was checked before. */
function entry(kind: "UPD" | "SNAP", seq: number, { bytes, ...clocks }: Payload): Envelope {
  const header = { class: "zone", author, part: 0, seq, kind, lamport: 1000, ...clocks };
  const id = idOf<Envelope["id"]>(new Uint8Array(32).fill(seq));
  return { id, log, header: header as EnvelopeHeader, payload: bytes, bytes };
}

function shownBy(document: LogDocument): Map<string, unknown> {
  return new Map([...document.records].map(([key, version]) => [key, packVersion(version)]));
}

const json: fc.Arbitrary<JsonValue> = fc
  .jsonValue({ maxDepth: 3 })
  .map((value) => value as JsonValue)
  .filter((value) => isJsonValue(value) && encodeJson(value).length < 200);
const version: fc.Arbitrary<RecordVersion> = fc.record({
  lamport: fc.integer({ min: 1, max: 1000 }),
  supersedes: fc.array(
    fc.integer({ min: 1, max: 2 }).map((byte) => idOf<VersionId>(new Uint8Array(32).fill(byte))),
    { maxLength: 2 },
  ),
  value: fc.option(json, { nil: undefined }),
});
const records: fc.Arbitrary<Record[]> = fc
  .dictionary(
    fc.constantFrom("a", "b", "c", "d", "key with blanks", "ключ", "e".repeat(40)),
    version,
    { minKeys: 1, noNullPrototype: true },
  )
  .map((all) => Object.entries(all));

function start(payload: Payload): LogDocument {
  const document = LogDocument.start(entry("SNAP", 1, payload));
  assert.ok(document instanceof LogDocument, "the snapshot was refused");
  return document;
}

test("a document is what Yjs makes of the same entries", () => {
  fc.assert(
    fc.property(fc.array(records, { maxLength: 8 }), records, (batches, first) => {
      const writer = new LogWriter(log, 1, first);
      const document = start(writer.snapshot);
      const reference = new Doc();
      applyUpdate(reference, writer.snapshot.bytes);
      for (const [at, batch] of batches.entries()) {
        const payload = writer.update(batch);
        assert.equal(document.apply(entry("UPD", at + 2, payload)), undefined);
        applyUpdate(reference, payload.bytes);
        const expected = new Map(reference.getMap(ROOT).entries());
        assert.deepEqual(shownBy(document), expected);
        assert.equal(document.clock, payload.clockAfter);
      }
    }),
    { numRuns: 100, seed: 11 },
  );
});

test("whatever changed update a document takes, Yjs makes the same of it and waits for nothing", () => {
  let taken = 0;
  fc.assert(
    fc.property(
      fc.array(records, { minLength: 1, maxLength: 5 }),
      fc.nat(),
      fc.nat(7),
      (batches, at, bit) => {
        const writer = new LogWriter(log, 1, []);
        const document = start(writer.snapshot);
        const reference = new Doc();
        const payloads = batches.map((batch) => writer.update(batch));
        const last = payloads.pop();
        assert.ok(last !== undefined);
        for (const [index, payload] of payloads.entries()) {
          document.apply(entry("UPD", index + 2, payload));
          applyUpdate(reference, payload.bytes);
        }
        const bytes = Uint8Array.from(last.bytes);
        const place = at % bytes.length;
        bytes[place] = (bytes[place] ?? 0) ^ (1 << bit);
        const refusal = document.apply(entry("UPD", payloads.length + 2, { ...last, bytes }));
        if (refusal !== undefined) return;
        taken += 1;
        applyUpdate(reference, bytes);
        assert.deepEqual(shownBy(document), new Map(reference.getMap(ROOT).entries()));
        assert.equal(reference.store.pendingStructs, null);
        assert.equal(reference.store.pendingDs, null);
      },
    ),
    { numRuns: 600, seed: 13 },
  );
  assert.ok(taken > 100, `${taken} were taken`);
});

/** What a hostile author makes with Yjs itself: `write` changes the document of its log. */
function forged(write: (doc: Doc) => void): Payload {
  const doc = new Doc();
  doc.clientID = clientIdOf(log, 1);
  doc.getMap(ROOT).set("a", packVersion({ lamport: 1, supersedes: [], value: 1 }));
  const before = encodeStateAsUpdate(doc);
  let bytes = new Uint8Array();
  doc.on("update", (update: Uint8Array) => (bytes = Uint8Array.from(update)));
  assert.ok(before.length > 0);
  write(doc);
  return { bytes, clockBefore: 1, clockAfter: 2 };
}

test("an item that Yjs would hide, and a deletion without a version, are refused", () => {
  const value = packVersion({ lamport: 1, supersedes: [], value: 2 });
  const writer = new LogWriter(log, 1, [["a", { lamport: 1, supersedes: [], value: 1 }]]);
  // The same key as if it were new: Yjs would put it before the first, where nobody sees it.
  const other = new LogWriter(log, 1, [["b", { lamport: 1, supersedes: [], value: 1 }]]);
  const again = other.update([["a", { lamport: 1, supersedes: [], value: 2 }]]);
  assert.equal(start(writer.snapshot).apply(entry("UPD", 2, again)), "dependency");
  const removal = forged((doc) => doc.getMap(ROOT).delete("a"));
  const gone = { ...removal, clockAfter: 1 };
  assert.equal(start(writer.snapshot).apply(entry("UPD", 2, gone)), "delete-unknown");
  const honest = forged((doc) => doc.getMap(ROOT).set("a", value));
  const document = start(writer.snapshot);
  assert.equal(document.apply(entry("UPD", 2, honest)), undefined);
  // The item that was replaced just now is replaced once more.
  const late = { ...honest, clockBefore: 2, clockAfter: 3 };
  const bytes = Uint8Array.from(late.bytes);
  const clockAt = 2 + varintBytes(clientIdOf(log, 1));
  assert.equal(bytes[clockAt], 1);
  bytes[clockAt] = 2;
  assert.equal(document.apply(entry("UPD", 3, { ...late, bytes })), "dependency");
});

function varintBytes(value: number): number {
  return value < 128 ? 1 : 1 + varintBytes(Math.floor(value / 128));
}
