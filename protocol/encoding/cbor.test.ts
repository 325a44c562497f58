import assert from "node:assert/strict";
import { test } from "node:test";
import { decode as referenceDecode, encode as referenceEncode } from "cborg";
import fc from "fast-check";
import { CborError, decodeCbor, encodeCbor, type CborValue } from "./cbor.ts";

const text = fc.oneof(fc.string(), fc.string({ unit: "binary", maxLength: 40 }));
const { value: anyValue } = fc.letrec<{ value: CborValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.constantFrom(null, true, false),
    fc.maxSafeInteger(),
    fc.bigInt({ min: -(2n ** 64n), max: 2n ** 64n - 1n }),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.float({ noNaN: true, noDefaultInfinity: true }),
    text,
    fc.uint8Array(),
    fc.array(tie("value"), { maxLength: 30 }),
    fc.dictionary(text, tie("value"), { maxKeys: 30, noNullPrototype: true }),
  ),
}));

/** What a value is once it was written: numbers that are whole and safe are numbers. */
function normal(value: CborValue): CborValue {
  if (typeof value === "bigint") {
    const safe = BigInt.asIntN(54, value) === value && Number.isSafeInteger(Number(value));
    return safe ? Number(value) : value;
  }
  if (typeof value === "number") return value === 0 ? 0 : value;
  if (value === null || typeof value !== "object" || value instanceof Uint8Array) return value;
  if (Array.isArray(value)) return (value as readonly CborValue[]).map(normal);
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, normal(item)]));
}

/** The reference writes some small numbers longer than they have to be. */
function hasSmallFloat(value: CborValue): boolean {
  if (typeof value === "number") return !Number.isInteger(value) && Math.abs(value) < 2 ** -14;
  if (value === null || typeof value !== "object" || value instanceof Uint8Array) return false;
  return Object.values(value).some(hasSmallFloat);
}

function codeOf(bytes: Uint8Array, maxBytes = 1024): string {
  try {
    decodeCbor(bytes, maxBytes);
    return "fine";
  } catch (error) {
    assert.ok(error instanceof CborError, String(error));
    return error.code;
  }
}

const hex = (digits: string): Uint8Array => Uint8Array.from(Buffer.from(digits, "hex"));

test("what is written is read again, and is what another encoder writes", () => {
  fc.assert(
    fc.property(anyValue, (value) => {
      const bytes = encodeCbor(value);
      assert.deepEqual(decodeCbor(bytes, bytes.length), normal(value));
      if (!hasSmallFloat(value)) assert.deepEqual(bytes, Uint8Array.from(referenceEncode(value)));
    }),
    { numRuns: 500, seed: 3 },
  );
});

test("bytes that are read are the only encoding of what they say, and others say the same", () => {
  const bytesOf = fc.oneof(
    fc.uint8Array({ maxLength: 12 }),
    fc.tuple(anyValue, fc.nat(), fc.nat(255)).map(([value, at, byte]) => {
      const bytes = encodeCbor(value);
      bytes[at % bytes.length] = byte;
      return bytes;
    }),
  );
  let read = 0;
  fc.assert(
    fc.property(bytesOf, (bytes) => {
      if (codeOf(bytes, bytes.length) !== "fine") return;
      read += 1;
      const value = decodeCbor(bytes, bytes.length);
      assert.deepEqual(encodeCbor(value), bytes);
      assert.deepEqual(referenceDecode(bytes, { strict: true }), value);
    }),
    { numRuns: 3000, seed: 5 },
  );
  assert.ok(read > 200, `${read} were read`);
});

test("every other encoding of a value is refused", () => {
  const refused: Readonly<Record<string, string>> = {
    "": "E-CBOR-FORM",
    "1817": "E-CBOR-CANONICAL", // 23 in two bytes
    "1900ff": "E-CBOR-CANONICAL",
    "1a0000ffff": "E-CBOR-CANONICAL",
    "1b00000000ffffffff": "E-CBOR-CANONICAL",
    "3817": "E-CBOR-CANONICAL", // -24 in two bytes
    "580100": "E-CBOR-CANONICAL",
    "9f00ff": "E-CBOR-FORM", // a list without a length
    a2616200616100: "E-CBOR-CANONICAL", // b before a
    a2616100616100: "E-CBOR-CANONICAL", // a twice
    a262616100616200: "E-CBOR-CANONICAL", // the longer key first
    a10000: "E-CBOR-FORM", // a key that is a number
    a1695f5f70726f746f5f5f00: "E-CBOR-FORM",
    c000: "E-CBOR-FORM", // a tag
    f7: "E-CBOR-FORM", // undefined
    f97e00: "E-CBOR-FORM", // not a number
    f97c00: "E-CBOR-FORM", // infinity
    f98000: "E-CBOR-CANONICAL", // minus zero
    f93c00: "E-CBOR-CANONICAL", // 1 as a float
    fa3fc00000: "E-CBOR-CANONICAL", // 1.5 in four bytes
    fb3ff8000000000000: "E-CBOR-CANONICAL", // 1.5 in eight bytes
    "0000": "E-CBOR-FORM", // two items
    "61ff": "E-CBOR-FORM", // not UTF-8
    "63eda080": "E-CBOR-FORM", // a lone surrogate
    "6261": "E-CBOR-FORM", // cut off
    "5bffffffffffffffff": "E-CBOR-FORM",
    "9bffffffffffffffff": "E-CBOR-FORM",
    "9a0fffffff": "E-CBOR-FORM",
  };
  for (const [digits, code] of Object.entries(refused)) {
    assert.equal(codeOf(hex(digits)), code, digits);
  }
});

test("sixteen levels are read, more are not, however many there are", () => {
  const nested = (levels: number): Uint8Array => Uint8Array.of(...Array(levels).fill(0x81), 0);
  assert.equal(codeOf(nested(16)), "fine");
  assert.equal(codeOf(nested(17)), "E-CBOR-FORM");
  assert.equal(codeOf(new Uint8Array(250_000).fill(0x81), 250_000), "E-CBOR-FORM");
});

test("longer input than was asked for is refused before it is read", () => {
  assert.equal(codeOf(new Uint8Array(100), 99), "E-CBOR-SIZE");
});

test("a text that begins with a byte order mark keeps it", () => {
  const bytes = encodeCbor("\ufeffa");
  assert.equal(decodeCbor(bytes, 10), "\ufeffa");
});

test("what cannot be said is a bug of ours", () => {
  const wrong: readonly unknown[] = [
    undefined,
    NaN,
    Infinity,
    2n ** 64n,
    () => 1,
    { a: undefined },
  ];
  for (const value of wrong) {
    assert.throws(() => encodeCbor(value as CborValue), RangeError);
  }
  assert.deepEqual(encodeCbor("still fine").length, 11);
});

test("a long value is what it says wherever the room for it has to grow", () => {
  const room = 64 * 1024;
  for (const item of ["", "a", "abcde", "abcdefghijklmnopqrstuvwx", 1, 2 ** 40, 0.5, null]) {
    for (let before = room - 48; before < room + 2; before++) {
      const value = ["x".repeat(before), item, item, item];
      assert.deepEqual(decodeCbor(encodeCbor(value), 2 * room), value, `${item} after ${before}`);
    }
  }
});
