import assert from "node:assert/strict";
import { test } from "node:test";
import { idOf, sha256, type SiteId } from "../../../protocol/ids.ts";
import { PushQueue, type PushItem } from "./push.ts";
import { RecentItems } from "./recent-items.ts";

const recentItems = new RecentItems();

function item(name: string, sizeBytes = 100): PushItem {
  const bytes = new Uint8Array(sizeBytes);
  bytes.set(sha256(name));
  return { kind: "envelope", bytes, at: undefined, recent: recentItems.of(bytes) };
}

test("frames keep the order, stay small, and leave out what the peer holds by now", () => {
  const queue = new PushQueue();
  const all = Array.from({ length: 300 }, (_, index) => item(`order ${index}`, 1_000));
  for (const each of all) assert.equal(queue.add(each), true);
  const held = new Set(all.filter((_, index) => index % 3 === 0));
  const sent: PushItem[] = [];
  while (!queue.isEmpty) {
    const frame = queue.take((each) => held.has(each));
    assert.ok(frame.length > 0);
    assert.ok(frame.reduce((sum, { bytes }) => sum + bytes.length, 0) <= 64 * 1024);
    sent.push(...frame);
  }
  assert.deepEqual(
    sent,
    all.filter((each) => !held.has(each)),
  );
});

test("the largest item goes alone", () => {
  const queue = new PushQueue();
  const [small, large] = [item("small"), item("large", 260 * 1024)];
  queue.add(small);
  queue.add(large);
  assert.deepEqual(
    queue.take(() => false),
    [small],
  );
  assert.deepEqual(
    queue.take(() => false),
    [large],
  );
});

test("a full queue says so, is empty, and takes new items", () => {
  const queue = new PushQueue();
  const results = Array.from({ length: 4 }, (_, i) => queue.add(item(`full ${i}`, 260 * 1024)));
  assert.deepEqual(results, [true, true, true, false]);
  assert.equal(queue.isEmpty, true);
  assert.equal(queue.add(item("after")), true);
});

test("the same bytes are the same item, until thousands of others came", () => {
  const items = new RecentItems();
  const holder = idOf<SiteId>(sha256("holder"));
  items.of(sha256("first")).holders.add(holder);
  assert.ok(items.of(sha256("first")).holders.has(holder));
  for (let i = 0; i < 5_000; i++) items.of(sha256(`other ${i}`));
  assert.equal(items.of(sha256("first")).holders.size, 0);
});
