import assert from "node:assert/strict";
import { test } from "node:test";
import {
  openOperatorKey,
  OperatorKeyError,
  parseOperatorPublic,
  printOperatorPublic,
  sealOperatorKey,
} from "./operator-key.ts";
import { sign, verify } from "./signature.ts";

const CHANCE = {
  seed: new Uint8Array(32).fill(1),
  salt: new Uint8Array(16).fill(2),
  nonce: new Uint8Array(24).fill(3),
};
const PASSPHRASE = "correct horse battery";
const { file, operator } = sealOperatorKey("Anne Le Goff", PASSPHRASE, CHANCE);

function code(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof OperatorKeyError) return error.code;
    throw error;
  }
  return "none";
}

test("opens what it sealed, and the key signs", () => {
  const opened = openOperatorKey(file, PASSPHRASE);
  assert.deepEqual({ key: opened.key, name: opened.name }, operator);
  const bytes = Uint8Array.of(1);
  const signature = sign(opened.sign, "pleach/test/1", bytes);
  assert.ok(verify(opened.sign.publicKey, "pleach/test/1", bytes, signature));
});

test("the file does not hold the seed", () => {
  assert.ok(!file.includes("01".repeat(16)));
});

test("tells a wrong passphrase from a damaged file", () => {
  assert.equal(
    code(() => openOperatorKey(file, "correct horse batterz")),
    "E-OPERATOR-PASSPHRASE",
  );
  const lines = file.split("\n");
  for (const index of [1, 2, 3, 4, 5, 6]) {
    const line = lines[index] ?? "";
    const last = line.at(-1) === "0" ? "1" : "0";
    const wrong = lines.with(index, line.slice(0, -1) + last).join("\n");
    assert.equal(
      code(() => openOperatorKey(wrong, PASSPHRASE)),
      "E-OPERATOR-DAMAGED",
    );
  }
  assert.equal(
    code(() => openOperatorKey(file.slice(0, 200), PASSPHRASE)),
    "E-OPERATOR-DAMAGED",
  );
  assert.equal(
    code(() => openOperatorKey("-----BEGIN", PASSPHRASE)),
    "E-OPERATOR-FILE",
  );
});

test("one passphrase typed in two ways of composing accents is one", () => {
  const composed = sealOperatorKey("a", "caf\u00e9 caf\u00e9", CHANCE);
  assert.equal(openOperatorKey(composed.file, "cafe\u0301 cafe\u0301").key, operator.key);
});

test("refuses short passphrases and names that would break a line", () => {
  assert.equal(
    code(() => sealOperatorKey("a", "1234567", CHANCE)),
    "E-OPERATOR-PASSPHRASE",
  );
  for (const name of ["", " a", "a\nb", "x".repeat(65)]) {
    assert.equal(
      code(() => sealOperatorKey(name, PASSPHRASE, CHANCE)),
      "E-OPERATOR-NAME",
    );
  }
});

test("the public line is read back, and nothing else passes for one", () => {
  assert.deepEqual(parseOperatorPublic(printOperatorPublic(operator)), operator);
  for (const text of [
    "",
    file,
    `pleach-operator-1 ${"0".repeat(64)} zero`,
    "pleach-operator-1 ab a",
  ]) {
    assert.equal(
      code(() => parseOperatorPublic(text)),
      "E-OPERATOR-PUBLIC",
    );
  }
});
