import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { testKey } from "../../test-mesh/fakes/founding.ts";
import {
  clientIdOf,
  decodeEnvelope,
  EnvelopeError,
  logIdOf,
  MAX_ENVELOPE_BYTES,
  signEnvelope,
  type EnvelopeHeader,
} from "./envelope.ts";
import { idOf, sha256, type EnvelopeId, type LogId, type MeshId, type SiteId } from "../ids.ts";
import { RECORD_CLASSES } from "./record-class.ts";

const key = testKey("quimper");
const mesh = idOf<MeshId>(sha256("mesh"));
const other = idOf<EnvelopeId>(sha256("other"));

const first: Omit<EnvelopeHeader, "v" | "payloadBytes" | "payloadHash"> = {
  mesh,
  class: "site",
  author: idOf<SiteId>(key.publicKey),
  part: 0,
  salt: new Uint8Array(16),
  seq: 1,
  prev: null,
  kind: "SNAP",
  prevSnap: null,
  started: 1,
  retires: [],
  floor: 0,
  past: 0,
  authority: mesh,
  lamport: 1,
  clockBefore: 0,
  clockAfter: 0,
  wallMs: 0,
};
const update = {
  ...first,
  seq: 2,
  prev: other,
  kind: "UPD",
  started: 0,
  clockBefore: 1,
  clockAfter: 2,
} as const;
const payload = Uint8Array.of(0, 0);

test("what was signed is read again, byte by byte", () => {
  for (const fields of [first, update]) {
    const envelope = signEnvelope(key, fields, payload);
    assert.deepEqual(decodeEnvelope(envelope.bytes), envelope);
  }
});

test("flipped bits are refused", () => {
  const { bytes } = signEnvelope(key, update, payload);
  for (let at = 0; at < bytes.length * 8; at += 3) {
    const flipped = Uint8Array.from(bytes);
    flipped[at >> 3] = (flipped[at >> 3] ?? 0) ^ (1 << (at & 7));
    assert.throws(() => decodeEnvelope(flipped), EnvelopeError, `bit ${at}`);
  }
});

test("arbitrary bytes are refused with an EnvelopeError, nothing else", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 2000 }), (bytes) => {
      assert.throws(() => decodeEnvelope(bytes), EnvelopeError);
    }),
    { numRuns: 300 },
  );
});

test("a header that contradicts itself is refused", () => {
  const retires = [{ log: idOf<LogId>(new Uint8Array(16)), seq: 1, lamport: 1, started: 1 }];
  for (const wrong of [
    { ...first, kind: "UPD" },
    { ...first, prev: other },
    { ...first, prevSnap: other },
    { ...first, clockBefore: 1, clockAfter: 1 },
    { ...update, prev: null },
    { ...update, retires },
    { ...update, started: 1 },
    { ...update, floor: 1 },
    { ...update, past: 1 },
    { ...first, started: 0 },
    { ...first, lamport: 2 },
    { ...first, floor: 2 },
    { ...first, retires: [...retires, ...retires] },
    { ...update, prevSnap: other },
    { ...update, clockAfter: 0 },
    { ...update, kind: "SNAP" },
  ] as const) {
    const fields = { ...wrong, retires: [...wrong.retires] };
    assert.throws(() => signEnvelope(key, fields, payload), { code: "E-ENVELOPE-FORM" });
  }
});

test("an update has at most 64 KiB, an envelope fits one frame", () => {
  const large = new Uint8Array(64 * 1024 + 1);
  assert.throws(() => signEnvelope(key, update, large), { code: "E-ENVELOPE-FORM" });
  const largest = signEnvelope(key, first, new Uint8Array(256 * 1024));
  assert.ok(largest.bytes.length <= MAX_ENVELOPE_BYTES);
  assert.throws(() => decodeEnvelope(new Uint8Array(MAX_ENVELOPE_BYTES + 1)), {
    code: "E-ENVELOPE-SIZE",
  });
});

test("the author alone can sign for its logs", () => {
  assert.throws(() => signEnvelope(testKey("brest"), first, payload), {
    code: "E-ENVELOPE-SIGNATURE",
  });
});

test("a log belongs to one mesh, class, author and part", () => {
  const fields = [
    first,
    { ...first, mesh: idOf<MeshId>(sha256("other mesh")) },
    { ...first, author: idOf<SiteId>(testKey("brest").publicKey) },
    { ...first, part: 1 },
    { ...first, salt: new Uint8Array(16).fill(1) },
    ...RECORD_CLASSES.slice(1).map((name) => ({ ...first, class: name })),
  ];
  assert.equal(new Set(fields.map(logIdOf)).size, fields.length);
});

test("client ids are exact in a double, and other ones after each snapshot", () => {
  const log = logIdOf(first);
  const ids = Array.from({ length: 200 }, (_, seq) => clientIdOf(log, seq + 1));
  assert.ok(ids.every((id) => Number.isSafeInteger(id) && id > 2 ** 32));
  assert.equal(new Set(ids).size, 200);
});
