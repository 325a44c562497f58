import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { isWithin, opensInMs, rateOf, timeText, type UplinkRule } from "./uplink-rule.ts";

const HOUR_MS = 3_600_000;
const NIGHT = { from: 22 * 60, to: 7 * 60 };

function rule(changes: Partial<UplinkRule> = {}): UplinkRule {
  return {
    ...{ name: "adsl", interface: undefined, upload: 125_000, download: undefined },
    ...{ hours: NIGHT, outside: undefined, metered: false },
    ...changes,
  };
}

const utc = (wallMs: number): number => Math.floor(wallMs / 60_000) % 1440;
/** Central Europe in 2026: summer time from 29 March 01:00 UTC to 25 October 01:00 UTC. */
const paris = (wallMs: number): number => {
  const summer = wallMs >= Date.UTC(2026, 2, 29, 1) && wallMs < Date.UTC(2026, 9, 25, 1);
  return utc(wallMs + (summer ? 2 : 1) * HOUR_MS);
};

describe("hours of a line", () => {
  it("may go over midnight", () => {
    const open = [0, 419, 1320, 1439];
    const closed = [420, 720, 1319];
    for (const minute of open) assert.ok(isWithin(NIGHT, minute));
    for (const minute of closed) assert.ok(!isWithin(NIGHT, minute));
    assert.ok(isWithin({ from: 0, to: 1440 }, 1439));
  });

  it("say when copies go on", () => {
    const noon = Date.UTC(2026, 5, 1, 12, 0, 30);
    assert.equal(opensInMs(rule(), "spread", noon, utc), 10 * HOUR_MS - 30_000);
    assert.equal(opensInMs(rule(), "repair", noon, utc), 10 * HOUR_MS - 30_000);
    assert.equal(opensInMs(rule(), "spread", Date.UTC(2026, 5, 1, 23), utc), 0);
    assert.equal(opensInMs(rule({ hours: undefined }), "spread", noon, utc), 0);
  });

  it("follow the clock on the wall when summer time begins and ends", () => {
    // 28 March 23:30 in Paris; the night to Sunday has no hour from 2 to 3.
    const late = { ...rule(), hours: { from: 150, to: 300 } };
    const spring = Date.UTC(2026, 2, 28, 22, 30);
    assert.equal(opensInMs(late, "spread", spring, paris), 2.5 * HOUR_MS);
    // 25 October: the hour from 2 to 3 comes twice, and is open both times.
    const early = { ...rule(), hours: { from: 120, to: 180 } };
    assert.equal(opensInMs(early, "spread", Date.UTC(2026, 9, 25, 0, 30), paris), 0);
    assert.equal(opensInMs(early, "spread", Date.UTC(2026, 9, 25, 1, 30), paris), 0);
    assert.equal(
      opensInMs(early, "spread", Date.UTC(2026, 9, 25, 2), paris),
      23 * HOUR_MS,
      "closed at 3 until 2 on the next day",
    );
  });

  it("are never waited for longer than a day and an hour, and end within the hours", () => {
    const minute = fc.integer({ min: 0, max: 1439 });
    fc.assert(
      fc.property(minute, minute, fc.integer({ min: 0, max: 1e12 }), (from, end, nowMs) => {
        const one = rule({ hours: { from, to: end + 1 } });
        if (from === end + 1) return;
        const waitMs = opensInMs(one, "spread", nowMs, utc);
        assert.ok(waitMs <= 25 * HOUR_MS);
        assert.ok(isWithin({ from, to: end + 1 }, utc(nowMs + waitMs)));
      }),
    );
  });
});

describe("what passes at any hour", () => {
  const noon = Date.UTC(2026, 5, 1, 12);

  it("is what a person waits for, and what proves that data is alive", () => {
    for (const urgency of ["restore", "proof"] as const) {
      assert.equal(opensInMs(rule({ metered: true }), urgency, noon, utc), 0);
    }
  });

  it("is everything where another rate is given for the other hours", () => {
    const slow = rule({ outside: 8000 });
    assert.equal(opensInMs(slow, "spread", noon, utc), 0);
    assert.equal(rateOf(slow, "upload", 12 * 60), 8000);
    assert.equal(rateOf(slow, "download", 12 * 60), 8000);
    assert.equal(rateOf(slow, "upload", 23 * 60), 125_000);
    assert.equal(rateOf(slow, "download", 23 * 60), undefined);
  });

  it("is no copy on a line that is paid by volume", () => {
    const waitMs = opensInMs(rule({ metered: true, hours: undefined }), "spread", noon, utc);
    assert.equal(waitMs, Number.POSITIVE_INFINITY);
  });
});

it("writes times as people do", () => {
  assert.equal(timeText(22 * 60), "22:00");
  assert.equal(timeText(65), "01:05");
});
