import { equal, ok } from "node:assert/strict";
import { test } from "node:test";
import { RateLimit } from "./rate-limit.ts";

function answersOf(cost: number): number {
  const limit = new RateLimit({ perSecond: 200, seed: 3 });
  const address = Uint8Array.of(192, 168, 1, 7);
  let answers = 0;
  while (limit.take(address, 0, cost) === "answer") answers += 1;
  return answers;
}

test("a network gets as many answers at once as it gets in a second", () => {
  equal(answersOf(1), 200);
});

test("what costs a tenth is given about ten times as often", () => {
  const answers = answersOf(0.1);
  ok(answers > 1980 && answers <= 2000, `${answers} answers`);
});
