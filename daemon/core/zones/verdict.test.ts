import { deepEqual, equal, ok } from "node:assert/strict";
import { describe, it } from "node:test";
import type { ServiceState } from "../../../protocol/dns/steering-record.ts";
import { SeededRandom } from "../../../test-mesh/fakes/seeded-random.ts";
import { firstVerdict, judge, verdictTold, type Verdict } from "./verdict.ts";

const SECOND_MS = 1000;
const MINUTE_MS = 60_000;

/** `-` is a bad report, `+` a good one, each a second after the one before. */
function after(reports: string, start: Verdict = firstVerdict(0)): Verdict {
  let verdict = start;
  for (const each of reports) {
    verdict = judge(verdict, each === "-" ? "down" : "up", verdict.atMs + SECOND_MS);
  }
  return verdict;
}

/** The states told one after another, without repetitions. */
function told(reports: Iterable<{ readonly report: ServiceState; readonly atMs: number }>) {
  let verdict = firstVerdict(0);
  const states: { readonly state: ServiceState; readonly atMs: number }[] = [];
  for (const { report, atMs } of reports) {
    const next = judge(verdict, report, atMs);
    if (next.state !== verdict.state) states.push({ state: next.state, atMs });
    verdict = next;
  }
  return states;
}

describe("in a row", () => {
  it("falls with the third bad report and rises with the second good one", () => {
    for (const [reports, state] of [
      ["", "up"],
      ["--", "up"],
      ["--+--", "up"],
      ["---", "down"],
      ["---+", "down"],
      ["---+-+", "down"],
      ["---++", "up"],
    ] as const) {
      equal(after(reports).state, state, reports);
    }
  });

  it("is never moved by reports that take turns", () => {
    equal(after("-+".repeat(1000)).state, "up");
    equal(after("--+".repeat(1000)).state, "up");
    equal(after(`---${"+-".repeat(1000)}`).state, "down");
  });
});

describe("damping", () => {
  it("holds down what falls three times within minutes, until it was steady for a while", () => {
    const damped = after("---++---++---++++");
    equal(damped.reported, "up");
    equal(damped.state, "down");
    equal(judge(damped, "up", damped.atMs + 20 * MINUTE_MS).state, "down");
    equal(judge(damped, "up", damped.atMs + 31 * MINUTE_MS).state, "up");
  });

  it("does not hold down what fell three times in as many hours", () => {
    let verdict = firstVerdict(0);
    for (let hour = 0; hour < 3; hour++) {
      verdict = after("---++", judge(verdict, "up", verdict.atMs + 60 * MINUTE_MS));
      equal(verdict.state, "up");
    }
  });

  it("holds nothing down for more than an hour after its last fall", () => {
    const worn = after("---++".repeat(500));
    equal(worn.state, "down");
    equal(judge(worn, "up", worn.atMs + 61 * MINUTE_MS).state, "up");
  });

  it("changes its mind a few times only while reports go on flapping", () => {
    const flapping = Array.from({ length: 24 * 3600 }, (_, second) => ({
      report: second % 5 < 3 ? ("down" as const) : ("up" as const),
      atMs: second * SECOND_MS,
    }));
    deepEqual(
      told(flapping).map(({ state }) => state),
      ["down", "up", "down", "up", "down"],
    );
  });

  it("changes at most eight times in any half hour, whatever is reported", () => {
    for (let seed = 1; seed <= 40; seed++) {
      const random = new SeededRandom(seed);
      let atMs = 0;
      let report: ServiceState = "up";
      const reports = Array.from({ length: 4000 }, () => {
        atMs += random.below(20 * SECOND_MS);
        if (random.next() < 0.2) report = report === "up" ? "down" : "up";
        return { report, atMs };
      });
      const changes = told(reports);
      for (const [at, { atMs: first }] of changes.entries()) {
        const within = changes.slice(at).filter((each) => each.atMs - first < 30 * MINUTE_MS);
        ok(within.length <= 8, `seed ${seed}: ${within.length}`);
      }
    }
  });
});

describe("after a restart", () => {
  it("goes on from what was told", () => {
    const down = verdictTold({ state: "down", weight: 1000 }, 0, 5000);
    equal(after("+", down).state, "down");
    equal(after("++", down).state, "up");
    equal(verdictTold({ state: "up", weight: 0 }, 0, 0).state, "up");
  });

  it("stays held down for as long as it would have", () => {
    const worn = { state: "down", weight: 2900 } as const;
    equal(after("++", verdictTold(worn, 0, 0)).state, "down");
    equal(after("++", verdictTold(worn, -9e12, 0)).state, "down", "the clock went back");
    equal(after("++", verdictTold(worn, 31 * MINUTE_MS, 0)).state, "up");
  });
});
