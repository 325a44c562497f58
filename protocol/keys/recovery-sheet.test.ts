import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { idOf, type MeshId, type OwnerId } from "../ids.ts";
import { phraseOf } from "./recovery-phrase.ts";
import {
  parseRecoverySheet,
  printRecoverySheet,
  rootFromFile,
  SheetError,
  type RecoverySheet,
} from "./recovery-sheet.ts";

const SHEET: RecoverySheet = {
  meshId: idOf<MeshId>(Uint8Array.from({ length: 32 }, (_, index) => index * 7)),
  meshName: "entraide",
  ownerId: idOf<OwnerId>(new Uint8Array(32).fill(9)),
  ownerName: "Maison des associations",
  root: Uint8Array.from({ length: 32 }, (_, index) => 255 - index),
  members: [
    { site: "brest", address: "/ip4/192.0.2.1/tcp/4001/p2p/12D3KooWAbc" },
    { site: "vannes", address: "/ip6/2001:db8::1/tcp/4001/p2p/12D3KooWXyz" },
  ],
  madeOn: "2031-04-01",
};

function refusal(text: string): SheetError {
  try {
    parseRecoverySheet(text);
  } catch (error) {
    if (error instanceof SheetError) return error;
    throw error;
  }
  throw new Error("the sheet was accepted");
}

test("reads back what it printed", () => {
  const parsed = parseRecoverySheet(printRecoverySheet(SHEET));
  assert.deepEqual(parsed, {
    meshId: SHEET.meshId,
    root: SHEET.root,
    addresses: SHEET.members.map((member) => member.address),
  });
});

test("fits on one page of 80 columns and 60 lines", () => {
  const lines = printRecoverySheet(SHEET).split("\n");
  assert.ok(lines.length <= 60);
  assert.ok(lines.every((line) => line.length <= 80));
});

test("takes a page that was typed in again: case, indent, numbers left out", () => {
  const typed = [
    "pleach recovery sheet 1",
    `MESH ID: ${printRecoverySheet(SHEET)
      .match(/digits check.*\n(.*)\n(.*)/)
      ?.slice(1)
      .join("")
      .toUpperCase()}`,
    "",
    "words:",
    phraseOf(SHEET.root).toUpperCase(),
    "",
    "   /ip4/192.0.2.1/tcp/4001/p2p/12D3KooWAbc",
  ].join("\r\n");
  const parsed = parseRecoverySheet(typed);
  assert.equal(parsed.meshId, SHEET.meshId);
  assert.deepEqual(parsed.root, SHEET.root);
});

test("finds each single wrong digit of the mesh id", () => {
  const printed = printRecoverySheet(SHEET);
  const at = printed.indexOf("others):") + 9;
  for (let i = at; i < at + 70; i++) {
    const digit = printed[i] ?? "";
    if (!/[0-9a-f]/.test(digit)) continue;
    const wrong = printed.slice(0, i) + (digit === "0" ? "1" : "0") + printed.slice(i + 1);
    assert.equal(refusal(wrong).code, "E-SHEET-MESH");
  }
});

test("says which part is missing", () => {
  const printed = printRecoverySheet(SHEET);
  assert.equal(refusal("words").code, "E-SHEET-FORM");
  assert.equal(refusal(printed.replace("SHEET 1", "SHEET 2")).code, "E-SHEET-FORM");
  assert.equal(refusal(printed.replace("Mesh id", "Mash id")).code, "E-SHEET-MESH");
  assert.equal(refusal(printed.replace("Words (", "Wards (")).code, "E-SHEET-WORDS");
  assert.equal(refusal(printed.replaceAll("/p2p/", "p2p/")).code, "E-SHEET-MEMBERS");
});

test("a name of a mesh or a site cannot stand for another part of the sheet", () => {
  fc.assert(
    fc.property(fc.string(), (name) => {
      const sheet = {
        ...SHEET,
        meshName: `x\n\nWords:\nzoo\n${name}`,
        ownerName: `y\nMesh id: 00\n${name}`,
      };
      assert.deepEqual(parseRecoverySheet(printRecoverySheet(sheet)).root, SHEET.root);
    }),
  );
});

test("a file may hold the sheet or just the words", () => {
  assert.deepEqual(rootFromFile(printRecoverySheet(SHEET)), SHEET.root);
  assert.deepEqual(rootFromFile(`${phraseOf(SHEET.root)}\n`), SHEET.root);
});

test("does not mind empty lines among the words, or a note behind them", () => {
  const words = phraseOf(SHEET.root).split(" ");
  const printed = printRecoverySheet(SHEET);
  const [before = "", rest = ""] = printed.split(/(?<=Words .*:\n)/);
  const members = rest.slice(rest.indexOf("Members"));
  const pages = [
    `${before}\n${words.map((word, at) => `${at + 1}. ${word}`).join("\n\n")}\n${members}`,
    `${before}${words.slice(0, 12).join(" ")}\n\n${words.slice(12).join(" ")}\n\nIn the red box.\n\n${members}`,
    printed.replace(/(Mesh id .*:\n.*\n)/, "$1\n"),
  ];
  for (const page of pages) {
    assert.deepEqual(parseRecoverySheet(page), parseRecoverySheet(printed), page);
  }
});
