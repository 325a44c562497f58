import assert from "node:assert/strict";
import { test } from "node:test";
import { Slots } from "./slots.ts";

test("a data set of many groups gets no more slots than one of a single group", async () => {
  const slots = new Slots(2);
  const order: string[] = [];
  const work = (set: string): Promise<void> => {
    const path = ["owner", set].map((name) => ({ name, weight: 1 }));
    return slots.run(
      async () => {
        order.push(set);
        await new Promise((resolve) => setImmediate(resolve));
      },
      path,
      4096,
    );
  };
  const many = Array.from({ length: 40 }, () => work("many"));
  const one = Array.from({ length: 10 }, () => work("one"));
  await Promise.all([...many, ...one]);
  // The first two began before the other set was there.
  const shared = order.slice(2, 22);
  assert.equal(shared.filter((set) => set === "one").length, 10);
  assert.equal(order.length, 50);
});

test("a slot is free again after work that failed", async () => {
  const slots = new Slots(1);
  await assert.rejects(
    slots.run(() => Promise.reject(new Error("no"))),
    /no/,
  );
  assert.equal(await slots.run(() => Promise.resolve("yes")), "yes");
});
