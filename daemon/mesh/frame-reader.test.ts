import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { MAX_FRAME_BYTES } from "../core/transport.ts";
import { acknowledgeHead, END_HEAD, FrameReader, unit } from "./frame-reader.ts";

function reader() {
  const acknowledged: number[] = [];
  const units: number[] = [];
  const made = new FrameReader({
    onUnit: (sizeBytes) => void units.push(sizeBytes),
    onAcknowledged: (sizeBytes) => void acknowledged.push(sizeBytes),
  });
  return { made, acknowledged, units };
}

const announce = (value: number): Uint8Array => {
  const head = new Uint8Array(4);
  new DataView(head.buffer).setUint32(0, value);
  return head;
};

test("frames come out whole and in order, however the bytes and units are cut", () => {
  const frames = fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 12 });
  fc.assert(
    fc.property(
      frames,
      fc.integer({ min: 1, max: 50 }),
      fc.integer({ min: 1, max: 70 }),
      (sent, piece, cut) => {
        const bytes: Uint8Array[] = [];
        for (const frame of sent) {
          let from = 0;
          do {
            const goesOn = from + piece < frame.length;
            bytes.push(unit(frame.subarray(from, from + piece), goesOn), acknowledgeHead(from));
            from += piece;
          } while (from < frame.length);
        }
        const wire = Buffer.concat([...bytes, END_HEAD]);
        const { made } = reader();
        for (let at = 0; at < wire.length; at += cut) made.push(wire.subarray(at, at + cut));
        const got: Uint8Array[] = [];
        for (let frame = made.shift(); frame !== undefined; frame = made.shift()) got.push(frame);
        assert.deepEqual(
          got.map((frame) => Buffer.from(frame)),
          sent.map((frame) => Buffer.from(frame)),
        );
        assert.equal(made.ended, true);
        assert.equal(made.heldBytes, 0);
      },
    ),
  );
});

test("an announcement above the limit is refused before any of it came", () => {
  assert.throws(() => reader().made.push(announce(MAX_FRAME_BYTES + 1)), { code: "E-MESH-FORM" });
  assert.throws(() => reader().made.push(announce(0x3fff_ffff)), { code: "E-MESH-FORM" });
  const { made } = reader();
  made.push(unit(new Uint8Array(MAX_FRAME_BYTES), true));
  assert.throws(() => made.push(unit(Uint8Array.of(1), false)), { code: "E-MESH-FORM" });
});

test("empty units that go on for ever are refused", () => {
  assert.throws(() => reader().made.push(unit(new Uint8Array(0), true)), { code: "E-MESH-FORM" });
});

test("empty frames count for what they cost", () => {
  const { made } = reader();
  made.push(new Uint8Array(4 * 1000));
  assert.equal(made.frames, 1000);
  assert.ok(made.heldBytes >= 64_000);
});

test("nothing but acknowledgements comes after the end, and no half frame ends", () => {
  const { made, acknowledged } = reader();
  made.push(END_HEAD);
  made.push(acknowledgeHead(5));
  assert.deepEqual(acknowledged, [5]);
  assert.throws(() => made.push(unit(Uint8Array.of(1), false)), { code: "E-MESH-FORM" });
  const half = reader().made;
  half.push(unit(Uint8Array.of(1), true));
  assert.throws(() => half.push(END_HEAD), { code: "E-MESH-FORM" });
});
