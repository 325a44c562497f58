import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { mayFollow, type Head } from "./head.ts";
import { idOf, sha256, type ChainId, type MeshId, type OwnerId } from "../ids.ts";
import type { SetId, ShardId, StoreId } from "../ids.ts";
import { ListError, groupOf, listId, openList, packEntries, signList } from "./list.ts";
import { openReceipt, ReceiptError, signReceipt } from "./receipt.ts";
import { signingKey } from "../keys/signature.ts";

const KEY = signingKey(sha256("site"));
const id32 = <Id extends ShardId | MeshId | OwnerId>(name: string): Id => idOf<Id>(sha256(name));
const SET = "00112233445566778899aabbccddeeff" as SetId;
const HEAD: Head = {
  chain: "0123456789abcdef0123456789abcdef" as ChainId,
  number: 1,
  previous: null,
  root: id32<ShardId>("root"),
  atMs: 1_700_000_000_000,
};

const FIELDS = {
  mesh: id32<MeshId>("mesh"),
  owner: id32<OwnerId>("owner"),
  set: SET,
  group: 0,
  groups: 1,
  generation: 1,
  previous: null,
  sealedName: new Uint8Array([1, 2, 3]),
  keyEpoch: 0,
  copies: 3,
  head: HEAD,
};
const ENTRIES = ["a", "b", "c"].map((name, index) => ({
  shard: id32<ShardId>(name),
  sizeBytes: index + 1,
}));

test("a list comes back as it was signed, entries in order", () => {
  const list = signList(KEY, FIELDS, ENTRIES);
  const { header, entries } = openList(list);
  assert.equal(header.shards, 3);
  assert.equal(header.bytes, 6);
  assert.equal(header.by, idOf(KEY.publicKey));
  assert.deepEqual(header.head, HEAD);
  assert.deepEqual(
    entries,
    ENTRIES.toSorted((a, b) => (a.shard < b.shard ? -1 : 1)),
  );
  assert.equal(listId(list.header).length, 64);
});

test("any changed byte of a list is refused", () => {
  const list = signList(KEY, FIELDS, ENTRIES);
  const parts = ["header", "signature", "entries"] as const;
  fc.assert(
    fc.property(
      fc.constantFrom(...parts),
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
      (part, at, flip) => {
        const bytes = Uint8Array.from(list[part]);
        const index = at % bytes.length;
        bytes[index] = (bytes[index] ?? 0) ^ flip;
        assert.throws(() => openList({ ...list, [part]: bytes }), ListError);
      },
    ),
    { numRuns: 500 },
  );
});

test("an entry that stands twice, or in the wrong group, is refused", () => {
  assert.throws(() => packEntries([...ENTRIES, ...ENTRIES]), ListError);
  const strays = signList(KEY, { ...FIELDS, groups: 128, group: 5 }, ENTRIES);
  assert.throws(() => openList(strays), ListError);
});

test("splitting moves a shard to its own group or to the new half of it", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), fc.nat(6), (bytes, power) => {
      const shard = idOf<ShardId>(bytes);
      const before = groupOf(shard, 2 ** power);
      const after = groupOf(shard, 2 ** (power + 1));
      assert.ok(after === before || after === before + 2 ** power);
    }),
  );
});

test("a head follows its predecessor or begins a chain", () => {
  const next = { ...HEAD, number: 2, previous: HEAD.root, root: id32<ShardId>("second") };
  assert.ok(mayFollow(null, HEAD));
  assert.ok(mayFollow(HEAD, next));
  assert.ok(!mayFollow(null, next));
  assert.ok(!mayFollow(HEAD, { ...next, number: 3 }));
  assert.ok(!mayFollow(HEAD, { ...next, previous: id32<ShardId>("other") }));
  assert.ok(mayFollow(next, { ...HEAD, chain: "ff23456789abcdef0123456789abcdef" as ChainId }));
});

test("a receipt says what was stored, and any changed byte is refused", () => {
  const receipt = {
    mesh: FIELDS.mesh,
    store: "0123456789abcdef0123456789abcdef" as StoreId,
    owner: FIELDS.owner,
    set: SET,
    kind: "shard" as const,
    id: id32<ShardId>("a"),
    sizeBytes: 4096,
    lockDays: 30,
  };
  const signed = signReceipt(KEY, receipt);
  assert.deepEqual(openReceipt(signed), { ...receipt, holder: idOf(KEY.publicKey) });
  for (let at = 0; at < signed.bytes.length; at++) {
    const bytes = Uint8Array.from(signed.bytes);
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    assert.throws(() => openReceipt({ ...signed, bytes }), ReceiptError);
  }
});
