import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parsePhrase, PhraseError, phraseOf } from "./recovery-phrase.ts";

const ROOT = new Uint8Array(32).fill(7);
const WORDS = phraseOf(ROOT).split(" ");

function refusal(text: string): PhraseError {
  try {
    parsePhrase(text);
  } catch (error) {
    if (error instanceof PhraseError) return error;
  }
  throw new Error("the phrase was accepted");
}

test("reads a phrase back, whatever the white space and the case", () => {
  assert.deepEqual(parsePhrase(`  ${WORDS.join(" \n\t").toUpperCase()}\n`), ROOT);
});

test("any 32 bytes survive the way through words", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (root) => {
      assert.deepEqual(parsePhrase(phraseOf(root)), Uint8Array.from(root));
    }),
  );
});

test("names the word that is not in the list, and a near one", () => {
  const error = refusal(WORDS.with(4, "hamer").join(" "));
  assert.equal(error.code, "E-PHRASE-WORD");
  assert.match(error.message, /Word 5, "hamer"/);
  assert.match(error.hint ?? "", /"hammer"/);
});

test("says that the checksum fails when two words changed places", () => {
  const other = phraseOf(Uint8Array.from({ length: 32 }, (_, index) => index)).split(" ");
  const [first = "", second = "", ...rest] = other;
  assert.equal(refusal([second, first, ...rest].join(" ")).code, "E-PHRASE-CHECKSUM");
});

test("counts the words", () => {
  assert.match(refusal(WORDS.slice(1).join(" ")).message, /24 words, these are 23/);
  assert.equal(refusal([...WORDS, "zoo"].join(" ")).code, "E-PHRASE-COUNT");
  assert.match(refusal("  ").message, /these are 0/);
});

test("never repeats a long text from a wrong file", () => {
  assert.ok(refusal("x".repeat(100_000)).message.length < 100);
});
