import assert from "node:assert/strict";
import { test } from "node:test";
import { idOf, type MeshId, type PeerKey, type SiteId } from "../ids.ts";
import { joinWords, JoinWordsError, parseJoinWords, type JoinFacts } from "./join-words.ts";

const FACTS: JoinFacts = {
  meshId: idOf<MeshId>(new Uint8Array(32).fill(1)),
  applicant: idOf<PeerKey>(new Uint8Array(32).fill(2)),
  issuer: idOf<SiteId>(new Uint8Array(32).fill(3)),
  proofKey: new Uint8Array(32).fill(4),
  application: Uint8Array.of(1, 2, 3),
};

function code(text: string): string {
  try {
    parseJoinWords(text);
  } catch (error) {
    if (error instanceof JoinWordsError) return error.code;
    throw error;
  }
  return "none";
}

test("both sides get the same six words", () => {
  assert.equal(joinWords({ ...FACTS }), joinWords(FACTS));
  assert.equal(joinWords(FACTS).split(" ").length, 6);
});

test("each fact has a part in the words", () => {
  const ones = new Uint8Array(32).fill(9);
  const all = [
    FACTS,
    { ...FACTS, meshId: idOf<MeshId>(ones) },
    { ...FACTS, applicant: idOf<PeerKey>(ones) },
    { ...FACTS, issuer: idOf<SiteId>(ones) },
    { ...FACTS, proofKey: ones },
    { ...FACTS, application: Uint8Array.of(1, 2, 4) },
  ].map(joinWords);
  assert.equal(new Set(all).size, all.length);
});

test("takes words as people type them", () => {
  const words = joinWords(FACTS);
  assert.equal(parseJoinWords(` ${words.toUpperCase().replaceAll(" ", "-")} `), words);
  assert.equal(parseJoinWords(words.replaceAll(" ", ", ")), words);
});

test("names a word that is not in the list, and counts", () => {
  const words = joinWords(FACTS).split(" ");
  assert.equal(code(words.with(2, "quimper").join(" ")), "E-WORDS-WORD");
  assert.equal(code(words.slice(1).join(" ")), "E-WORDS-COUNT");
  assert.equal(code([...words, "zoo"].join(" ")), "E-WORDS-COUNT");
});
