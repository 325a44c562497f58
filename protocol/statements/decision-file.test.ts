import assert from "node:assert/strict";
import { test } from "node:test";
import { Founding } from "../../test-mesh/fakes/founding.ts";
import { parseDecisionFile, printDecisionFile } from "./decision-file.ts";
import { PleachError } from "../error.ts";

function sample() {
  const founding = new Founding("letter");
  founding.enrol("quimper");
  founding.own("quimper");
  const asks = founding.statements.at(-1)?.id ?? null;
  return { mesh: founding.meshId, asks, statements: founding.statements };
}

function codeOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof PleachError) return error.code;
    throw error;
  }
  return "none";
}

test("what was written is read again, by every byte", () => {
  const file = sample();
  const text = printDecisionFile(file, ["For the operators of letter."]);
  assert.deepEqual(parseDecisionFile(text), file);
  assert.ok(text.split("\n").every((line) => line.length <= 80));
});

test("a mail program may wrap, indent, quote and end the lines in its way", () => {
  const file = sample();
  const text = printDecisionFile(file, ["Hello"]);
  const quoted = text.replaceAll(/^/gm, "> ").replaceAll("\n", "\r\n");
  assert.deepEqual(parseDecisionFile(quoted), file);
  const wrapped = text.replaceAll(/([A-Za-z0-9+/]{40})(?=[A-Za-z0-9+/])/g, "$1\n  ");
  assert.deepEqual(parseDecisionFile(wrapped), file);
});

test("a cut, a changed letter, another file and a newer version are told apart", () => {
  const text = printDecisionFile(sample(), []);
  const at = text.indexOf("-----BEGIN") + 100;
  const flipped = text.slice(0, at) + (text[at] === "A" ? "B" : "A") + text.slice(at + 1);
  assert.equal(
    codeOf(() => parseDecisionFile(flipped)),
    "E-DECISION-DAMAGED",
  );
  assert.equal(
    codeOf(() => parseDecisionFile(text.slice(0, -60))),
    "E-DECISION-DAMAGED",
  );
  assert.equal(
    codeOf(() => parseDecisionFile("PLEACH OPERATOR KEY 1\n")),
    "E-DECISION-FILE",
  );
  const newer = text.replace("DECISION 1", "DECISION 2");
  assert.equal(
    codeOf(() => parseDecisionFile(newer)),
    "E-DECISION-FILE",
  );
});

test("a file with a statement that nobody signed is refused", () => {
  const file = sample();
  const [genesis, site] = file.statements;
  assert.ok(genesis !== undefined && site !== undefined);
  const forged = { ...site, signatures: genesis.signatures };
  const text = printDecisionFile({ ...file, statements: [genesis, forged] }, []);
  assert.equal(
    codeOf(() => parseDecisionFile(text)),
    "E-DECISION-FILE",
  );
});
