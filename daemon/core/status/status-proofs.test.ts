import assert from "node:assert/strict";
import { test } from "node:test";
import { proofArea, type ProofFacts } from "./status-proofs.ts";

const nothing: ProofFacts = { findings: [], repairs: [], ownLosses: 0 };
const found = (site: string, outcome: "proven" | "failed" | "refused" | "offline") => ({
  site,
  finding: { outcome, lostShards: 0, silent: false },
});

test("without evidence there is no verdict", () => {
  assert.equal(proofArea(nothing).area.state, "NONE");
});

test("failed, unanswered and away are told apart, and only a failure warns", () => {
  const away = [found("brest", "proven"), found("lorient", "refused"), found("vannes", "offline")];
  const { area } = proofArea({ ...nothing, findings: away });
  assert.equal(area.state, "OK");
  assert.equal(area.text, "1 of 3 copies proven; no answer: lorient; away: vannes");
  const failed = proofArea({ ...nothing, findings: [found("rennes", "failed")] });
  assert.equal(failed.area.state, "WARNING");
  assert.match(failed.area.text, /failed: rennes/);
});

test("a repair says where, how far, and when it ends", () => {
  const repair = { site: "brest", bytes: 1000, doneBytes: 250, refused: false };
  const textOf = (endsInMs: number | null): string =>
    proofArea({ ...nothing, repairs: [{ ...repair, endsInMs }] }).area.text;
  assert.equal(textOf(null), "a copy is made at brest: 25 %");
  assert.equal(textOf(-5), "a copy is made at brest: 25 %, ends in about 1 min");
  assert.equal(textOf(3 * 3_600_000), "a copy is made at brest: 25 %, ends in about 3 h");
  assert.equal(textOf(30 * 86_400_000), "a copy is made at brest: 25 %, ends in about 30 days");
});
