import assert from "node:assert/strict";
import { test } from "node:test";
import { Founding } from "../../test-mesh/fakes/founding.ts";
import { entriesOf, startMember } from "../../test-mesh/fakes/state-node.ts";
import { EnvelopeError, readEnvelope } from "./envelope.ts";
import {
  decodeSignedHeader,
  encodeSignedHeader,
  MAX_SIGNED_HEADER_BYTES,
} from "./signed-header.ts";

async function someEntry() {
  const founding = new Founding();
  founding.enrol("quimper");
  const site = await startMember("quimper", founding.statements);
  await site.write([{ class: "site", key: "node", value: { round: 1 } }]);
  const [bytes = new Uint8Array()] = await entriesOf(site);
  return readEnvelope(bytes);
}

test("the header of an entry stands for itself: id, log and signature are those of the entry", async () => {
  const entry = await someEntry();
  const signed = decodeSignedHeader(encodeSignedHeader(entry.headerBytes, entry.signature));
  assert.deepEqual([signed.id, signed.log], [entry.id, entry.log]);
  assert.deepEqual(signed.header, entry.header);
});

test("a flipped bit, another signature and too many bytes are refused", async () => {
  const { headerBytes, signature } = await someEntry();
  const good = encodeSignedHeader(headerBytes, signature);
  for (let at = 0; at < good.length * 8; at += 7) {
    const flipped = Uint8Array.from(good);
    flipped[at >> 3] = (flipped[at >> 3] ?? 0) ^ (1 << (at & 7));
    assert.throws(() => decodeSignedHeader(flipped), EnvelopeError, `bit ${at}`);
  }
  const unsigned = encodeSignedHeader(headerBytes, new Uint8Array(64));
  assert.throws(() => decodeSignedHeader(unsigned), EnvelopeError);
  const long = new Uint8Array(MAX_SIGNED_HEADER_BYTES + 1);
  assert.throws(() => decodeSignedHeader(long), EnvelopeError);
});
