import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { judge, median, summaryOf, tableOf } from "./backup-table.ts";
import { WORKS, type Figures } from "./backup-work.ts";

const round = (value: number): Figures =>
  Object.fromEntries(WORKS.map((work) => [work, value])) as Record<keyof Figures, number>;

describe("the table of the comparison", () => {
  it("compares our median with the better of the two others", () => {
    const results = judge({
      pleach: [round(9), round(2), round(3)],
      restic: [round(20), round(8), round(10)],
      borg: [round(6), round(6), round(60)],
    });
    const first = results.find(({ work }) => work === "smallFirst");
    assert.deepEqual(first?.figures, { pleach: 3, restic: 10, borg: 6 });
    assert.equal(first?.ratio, 0.5);
    assert.equal(first?.goalMet, false, "0.5 is more than 0.45");
    assert.equal(results.find(({ work }) => work === "smallUnchanged")?.goalMet, true);
  });

  it("judges memory by itself, whatever others take", () => {
    const MIB = 1024 * 1024;
    const of = (ours: number) =>
      judge({
        pleach: [round(ours * MIB)],
        restic: [round(MIB)],
        borg: [round(MIB)],
      }).find(({ work }) => work === "peakMemory")?.goalMet;
    assert.equal(of(200), true);
    assert.equal(of(201), false);
  });

  it("takes the highest peak of all rounds", () => {
    const MIB = 1024 * 1024;
    const [others, peaks] = [[round(MIB)], [round(MIB), round(300 * MIB), round(MIB)]];
    const results = judge({ pleach: peaks, restic: others, borg: others });
    assert.equal(results.find(({ work }) => work === "peakMemory")?.figures.pleach, 300 * MIB);
    assert.equal(summaryOf(results, 1).peakMiB, 300);
  });

  it("takes the middle of an even number of rounds", () => {
    assert.equal(median([4, 1, 3, 2]), 2.5);
    assert.throws(() => median([]), RangeError);
  });

  it("sums up as ratios, our peak and our uplink", () => {
    const MIB = 1024 * 1024;
    const results = judge({
      pleach: [round(150 * MIB)],
      restic: [round(200 * MIB)],
      borg: [round(300 * MIB)],
    });
    const each = { first: 0.75, unchanged: 0.75, changed: 0.75, stored: 0.75, restore: 0.75 };
    assert.deepEqual(summaryOf(results, 1.0104), {
      ...{ schemaVersion: 1, small: each, large: each, peakMiB: 150, ownerUplink: 1.01 },
    });
  });

  it("fits a terminal", () => {
    const rounds = [round(123.456)];
    const text = tableOf(judge({ pleach: rounds, restic: rounds, borg: rounds }));
    assert.equal(text.split("\n").length, 1 + WORKS.length);
    assert.ok(
      text.split("\n").every((line) => line.length <= 80),
      text,
    );
  });
});
