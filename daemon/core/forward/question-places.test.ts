import assert from "node:assert/strict";
import { test } from "node:test";
import { SeededRandom } from "../../../test-mesh/fakes/seeded-random.ts";
import { QuestionPlaces } from "./question-places.ts";

function takeAll(places: QuestionPlaces, client: string): number {
  let taken = 0;
  while (places.take(client)) taken += 1;
  return taken;
}

test("one client gets a fourth, and others still get theirs", () => {
  const places = new QuestionPlaces(1024);
  assert.equal(takeAll(places, "greedy"), 256);
  assert.equal(takeAll(places, "other"), 256);
  for (let index = 0; index < 32; index++) assert.equal(takeAll(places, `client ${index}`), 16);
  assert.ok(!places.take("greedy"));
});

test("what is given back can be taken again", () => {
  const places = new QuestionPlaces(20);
  assert.equal(takeAll(places, "a"), 16);
  places.free("a");
  assert.ok(places.take("a"));
  for (let times = 0; times < 100; times++) places.free("nobody");
  assert.equal(takeAll(places, "b"), 4);
});

test("whatever clients do, there are no more than there are", () => {
  const random = new SeededRandom(3);
  const places = new QuestionPlaces(100);
  const held = new Map<string, number>();
  let taken = 0;
  for (let step = 0; step < 20_000; step++) {
    const client = `c${random.below(30)}`;
    const own = held.get(client) ?? 0;
    if (random.below(2) === 0 && own > 0) {
      places.free(client);
      held.set(client, own - 1);
      taken -= 1;
    } else if (places.take(client)) {
      held.set(client, own + 1);
      taken += 1;
    }
    assert.ok(taken <= 100);
  }
  for (const [client, own] of held) for (let left = own; left > 0; left--) places.free(client);
  assert.equal(takeAll(places, "a"), 25);
});
