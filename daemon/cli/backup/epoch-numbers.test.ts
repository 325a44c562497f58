import assert from "node:assert/strict";
import { test } from "node:test";
import { epochText } from "./epoch-numbers.ts";

test("numbers of key epochs are short to read", () => {
  assert.equal(epochText([]), "");
  assert.equal(epochText([7]), "7");
  assert.equal(epochText([1, 2]), "1, 2");
  assert.equal(epochText([1, 2, 3, 4, 7, 9, 10]), "1 to 4, 7, 9, 10");
});
