/**
 * What every store has to do; run against the fake and the real one.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { prefixRange, type KeyRange, type Store } from "../../daemon/core/store.ts";

/** A place for stores: what one has written, the next one finds. */
export interface StorePlace {
  open(): Promise<Store>;
}

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

function put(key: string, ...values: number[]) {
  return { kind: "put", key, value: bytes(...values) } as const;
}

async function keys(store: Store, range: KeyRange): Promise<string[]> {
  const found: string[] = [];
  for await (const [key] of store.entries(range)) found.push(key);
  return found;
}

export function storeSuite(name: string, newPlace: () => Promise<StorePlace>): void {
  describe(`store: ${name}`, () => {
    test("gives back what was written, byte by byte, to the next one that opens", async () => {
      const place = await newPlace();
      let store = await place.open();
      const all = Uint8Array.from({ length: 256 }, (_, index) => index);
      await store.write([{ kind: "put", key: "all", value: all }, put("empty")], "durable");
      await store.close();
      store = await place.open();
      assert.deepEqual(await store.get("all"), all);
      assert.deepEqual(await store.get("empty"), bytes());
      assert.equal(await store.get("none"), undefined);
      await store.close();
    });

    test("does the changes of a batch in their order", async () => {
      const store = await (await newPlace()).open();
      await store.write([put("a", 1), put("b", 1)], "cached");
      await store.write([put("a", 2), { kind: "delete", key: "a" }, put("b", 2)], "durable");
      assert.equal(await store.get("a"), undefined);
      assert.deepEqual(await store.get("b"), bytes(2));
      await store.write([{ kind: "delete", key: "never there" }], "durable");
      await store.close();
    });

    test("lists ranges in the order of UTF-8 bytes, from both ends, up to a limit", async () => {
      const store = await (await newPlace()).open();
      const sorted = ["a", "a/", "a/1", "a/2", "a/\u00e9", "a/\u{1f333}", "a0", "b"];
      await store.write(
        sorted.toReversed().map((key) => put(key, 1)),
        "durable",
      );
      const inside = sorted.slice(1, 6);
      assert.deepEqual(await keys(store, prefixRange("a/")), inside);
      assert.deepEqual(
        await keys(store, { ...prefixRange("a/"), reverse: true, limit: 2 }),
        inside.toReversed().slice(0, 2),
      );
      assert.deepEqual(await keys(store, { from: "a/1", to: "a/2" }), ["a/1"]);
      assert.deepEqual(await keys(store, { from: "c", to: "d" }), []);
      await store.close();
    });

    test("a caller that changes its bytes later changes nothing", async () => {
      const store = await (await newPlace()).open();
      const value = bytes(1, 2, 3);
      await store.write([{ kind: "put", key: "a", value }], "durable");
      value[0] = 9;
      const read = await store.get("a");
      assert.deepEqual(read, bytes(1, 2, 3));
      if (read !== undefined) read[0] = 9;
      assert.deepEqual(await store.get("a"), bytes(1, 2, 3));
      await store.close();
    });

    test("a list that was begun does not see what is written meanwhile", async () => {
      const store = await (await newPlace()).open();
      await store.write([put("a/1", 1), put("a/2", 1)], "durable");
      const seen: string[] = [];
      for await (const [key] of store.entries(prefixRange("a/"))) {
        seen.push(key);
        await store.write([put("a/3", 1)], "cached");
      }
      assert.deepEqual(seen, ["a/1", "a/2"]);
      await store.close();
    });

    test("takes nothing after it was closed", async () => {
      const store = await (await newPlace()).open();
      await store.close();
      await assert.rejects(async () => store.get("a"));
      await assert.rejects(async () => store.write([put("a", 1)], "durable"));
    });
  });
}
