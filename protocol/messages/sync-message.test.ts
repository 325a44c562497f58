import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { encodeCbor } from "../encoding/cbor.ts";
import { MAX_ENVELOPE_BYTES } from "../logs/envelope.ts";
import { idOf, sha256, type EnvelopeId, type LogId, type MeshId } from "../ids.ts";
import {
  decodeSyncMessage,
  encodeSyncMessage,
  MAX_SYNC_FRAME_BYTES,
  SyncMessageError,
  type SyncMessage,
} from "./sync-message.ts";

const hash = sha256("x");
const hello: SyncMessage = {
  v: 1,
  kind: "hello",
  use: "round",
  mesh: idOf<MeshId>(hash),
  oldest: 1,
  newest: 1,
  features: ["zone-views"],
  statements: idOf<MeshId>(hash),
  state: idOf<MeshId>(hash),
};

test("every message comes back as it was", () => {
  const log = idOf<LogId>(hash.subarray(0, 16));
  const messages: SyncMessage[] = [
    hello,
    { v: 1, kind: "digests", classes: { zone: Array.from({ length: 16 }, () => hello.state) } },
    { v: 1, kind: "vectors-wanted", class: "site", buckets: [0, 15] },
    {
      v: 1,
      kind: "vectors",
      logs: [{ log, seq: 7, head: idOf<EnvelopeId>(hash), fromSeq: 0, yours: true }],
      more: true,
    },
    { v: 1, kind: "envelopes-wanted", logs: [{ log, after: 0 }] },
    { v: 1, kind: "push", statements: [hash], envelopes: [hash, hash] },
    { v: 1, kind: "pushed", results: ["stored", "kept", "refused"] },
    { v: 1, kind: "refusal", code: "busy" },
  ];
  for (const message of messages) {
    assert.deepEqual(decodeSyncMessage(encodeSyncMessage(message)), message);
  }
});

test("a field of a later version is ignored", () => {
  const wire = encodeCbor({ v: 1, kind: "statement-ids-wanted", depth: 2 });
  assert.deepEqual(decodeSyncMessage(wire), { v: 1, kind: "statement-ids-wanted" });
});

test("a largest envelope fits into a frame", () => {
  const items = [new Uint8Array(MAX_ENVELOPE_BYTES)];
  const frame = encodeSyncMessage({ v: 1, kind: "envelopes", items, more: false });
  assert.equal(decodeSyncMessage(frame).kind, "envelopes");
  const push = encodeSyncMessage({ v: 1, kind: "push", statements: [], envelopes: items });
  assert.equal(decodeSyncMessage(push).kind, "push");
});

test("a wrong size, an unknown kind, a bucket that is none and another version are refused", () => {
  const bad = [
    encodeCbor({ v: 1, kind: "statements-wanted", ids: [new Uint8Array(31)] }),
    encodeCbor({ v: 1, kind: "gossip" }),
    encodeCbor({ v: 1, kind: "vectors-wanted", class: "site", buckets: [16] }),
    encodeCbor({ v: 2, kind: "statement-ids-wanted" }),
    encodeCbor({
      v: 1,
      kind: "push",
      statements: [],
      envelopes: [new Uint8Array(MAX_ENVELOPE_BYTES + 1)],
    }),
    new Uint8Array(MAX_SYNC_FRAME_BYTES + 1),
  ];
  for (const frame of bad) assert.throws(() => decodeSyncMessage(frame), SyncMessageError);
});

test("arbitrary and damaged bytes give the one error or a message, never another throw", () => {
  const good = encodeSyncMessage(hello);
  const check = (frame: Uint8Array): void => {
    try {
      decodeSyncMessage(frame);
    } catch (error) {
      assert.ok(error instanceof SyncMessageError);
    }
  };
  fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), check));
  fc.assert(
    fc.property(fc.nat(good.length - 1), fc.integer({ min: 1, max: 255 }), (at, mask) => {
      const damaged = Uint8Array.from(good);
      damaged[at] = (damaged[at] ?? 0) ^ mask;
      check(damaged);
    }),
  );
});
