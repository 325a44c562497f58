import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { decodeCbor } from "../encoding/cbor.ts";
import { PleachError } from "../error.ts";
import { decodeTree } from "./tree-decode.ts";
import { encodeTrees, TREE_TARGET_BYTES } from "./tree-encode.ts";
import { isSafeName, type TreeEntry } from "./tree.ts";

const byte = fc.integer({ min: 1, max: 255 });
const name = fc
  .array(byte, { minLength: 1, maxLength: 40 })
  .map((bytes) => Uint8Array.from(bytes))
  .filter(isSafeName);
const time = fc.record({
  seconds: fc.integer({ min: -(2 ** 40), max: 2 ** 40 }),
  nanos: fc.integer({ min: 0, max: 999_999_999 }),
});
const ids = fc.nat(4).map((count) => new Uint8Array(count * 32).fill(count));
const xattrs = fc
  .uniqueArray(fc.string({ minLength: 1, maxLength: 9, unit: "grapheme-ascii" }), { maxLength: 3 })
  .map((names) => names.toSorted().map((each) => [Buffer.from(each), Buffer.from("v")] as const));
const base = {
  name,
  mode: fc.integer({ min: 0, max: 0o7777 }),
  uid: fc.nat(2 ** 31),
  gid: fc.nat(2 ** 31),
  mtime: time,
  xattrs,
};
const maybe = fc.option(fc.nat(1000), { nil: undefined });
const extents = fc.option(
  fc.array(fc.tuple(fc.nat(50), fc.integer({ min: 1, max: 50 })), { maxLength: 4 }).map((pairs) => {
    let at = 0;
    return pairs.map(([gap, length]) => {
      const offset = at + gap;
      at = offset + length;
      return { offset, length };
    });
  }),
  { nil: undefined },
);
const entry: fc.Arbitrary<TreeEntry> = fc.oneof(
  fc.record({
    ...base,
    kind: fc.constant("file" as const),
    sizeBytes: fc.integer({ min: 1000, max: 2 ** 50 }),
    chunks: ids,
    extents,
    link: maybe,
    ctime: time,
    inode: fc.nat(),
    changed: fc.boolean(),
  }),
  fc.record({ ...base, kind: fc.constant("directory" as const), chunks: ids }),
  fc.record({ ...base, kind: fc.constant("symlink" as const), target: name }),
  fc.record({ ...base, kind: fc.constantFrom("fifo" as const, "socket" as const) }),
  fc.record({
    ...base,
    kind: fc.constantFrom("char" as const, "block" as const),
    major: fc.nat(4095),
    minor: fc.nat(2 ** 20),
  }),
);
const entries = fc
  .uniqueArray(entry, { maxLength: 12, selector: (each) => Buffer.from(each.name).toString("hex") })
  .map((all) => all.toSorted((a, b) => Buffer.compare(a.name, b.name)));

/** For comparing: bytes as text, fields in one order, undefined fields left out. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString("hex");
  if (Array.isArray(value)) return value.map(plain);
  if (value === null || typeof value !== "object") return value;
  const fields = Object.entries(value).filter(([, each]) => each !== undefined);
  return Object.fromEntries(
    fields.toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([key, each]) => [key, plain(each)]),
  );
}

function single(all: readonly TreeEntry[]): Uint8Array {
  const [tree] = encodeTrees(all);
  assert.ok(tree);
  return tree;
}

const file = (fileName: string): TreeEntry => ({
  kind: "file",
  name: Buffer.from(fileName),
  mode: 0o644,
  uid: 0,
  gid: 0,
  mtime: { seconds: 1, nanos: 2 },
  xattrs: [],
  sizeBytes: 0,
  chunks: new Uint8Array(0),
  extents: undefined,
  link: undefined,
  ctime: { seconds: 1, nanos: 2 },
  inode: 1,
  changed: false,
});

describe("a tree", () => {
  it("comes back as it was", () => {
    fc.assert(
      fc.property(entries, (all) => {
        assert.deepEqual(plain(decodeTree(single(all))), plain(all));
      }),
    );
  });

  it("is deterministic CBOR, as every other format", () => {
    fc.assert(
      fc.property(entries, (all) => {
        const decoded = decodeCbor(single(all), 1024 * 1024) as { readonly v: number };
        assert.equal(decoded.v, 1);
      }),
    );
  });

  it("is cut into several chunks when the directory is large, and stays in order", () => {
    const count = 8000;
    const all = Array.from({ length: count }, (_, at) => file(String(at).padStart(60, "0")));
    const trees = encodeTrees(all);
    assert.ok(trees.length > 2);
    assert.ok(trees.every((tree) => tree.length < TREE_TARGET_BYTES + 1000));
    let last: Uint8Array | undefined;
    let seen = 0;
    for (const tree of trees) {
      const part = decodeTree(tree, last);
      last = part.at(-1)?.name;
      seen += part.length;
    }
    assert.equal(seen, count);
    const [first] = trees;
    assert.ok(first);
    // The same chunk twice would bring the same names twice.
    assert.throws(() => decodeTree(first, last), { code: "E-TREE-FORM" });
  });

  for (const bad of ["", ".", "..", "a/b", "/etc", "a\0b", "n".repeat(256)]) {
    it(`refuses the name ${JSON.stringify(bad.slice(0, 8))}`, () => {
      assert.throws(() => decodeTree(single([file(bad)])), { code: "E-TREE-FORM" });
    });
  }

  it("refuses a name that stands twice, and names out of order", () => {
    assert.throws(() => decodeTree(single([file("a"), file("a")])), { code: "E-TREE-FORM" });
    assert.throws(() => decodeTree(single([file("b"), file("a")])), { code: "E-TREE-FORM" });
  });

  it("refuses data ranges that overlap or pass the end of the file", () => {
    for (const ranges of [
      [{ offset: 0, length: 2000 }],
      [
        { offset: 0, length: 20 },
        { offset: 10, length: 20 },
      ],
    ]) {
      const bad = { ...file("a"), sizeBytes: 1000, extents: ranges } as TreeEntry;
      assert.throws(() => decodeTree(single([bad])), { code: "E-TREE-FORM" });
    }
  });

  it("ends in a clear error, or in entries that are sound, whatever the bytes", () => {
    const whole = single([
      file("a"),
      { ...file("b"), extents: [{ offset: 0, length: 0 }] } as TreeEntry,
    ]);
    const mutation = fc.record({
      at: fc.nat(whole.length - 1),
      value: fc.nat(255),
      cut: fc.nat(3),
    });
    fc.assert(
      fc.property(fc.array(mutation, { minLength: 1, maxLength: 4 }), (mutations) => {
        let bytes = Uint8Array.from(whole);
        for (const { at, value, cut } of mutations) {
          bytes[at % bytes.length] = value;
          if (cut === 0 && bytes.length > 10) bytes = bytes.slice(0, -1);
        }
        try {
          for (const each of decodeTree(bytes)) assert.ok(isSafeName(each.name));
        } catch (error) {
          assert.ok(error instanceof PleachError, String(error));
        }
      }),
      { numRuns: 2000 },
    );
  });
});
