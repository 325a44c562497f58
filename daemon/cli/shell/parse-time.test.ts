import assert from "node:assert/strict";
import { test } from "node:test";
import { parseTime } from "./parse-time.ts";

const NOW_MS = Date.UTC(2026, 10, 22, 12);

test("days and hours are those of the wall, an offset counts, a span is ago", () => {
  assert.equal(parseTime("2026-11-20T14:30Z", NOW_MS), Date.UTC(2026, 10, 20, 14, 30));
  assert.equal(parseTime("2026-11-20T14:30+01:00", NOW_MS), Date.UTC(2026, 10, 20, 13, 30));
  assert.equal(parseTime("2026-11-20 14:30", NOW_MS), new Date(2026, 10, 20, 14, 30).getTime());
  assert.equal(parseTime("2026-11-20", NOW_MS), new Date(2026, 10, 20).getTime());
  assert.equal(parseTime("3h", NOW_MS), NOW_MS - 3 * 3_600_000);
});

for (const text of ["", "yesterday", "2026-13-01", "2026-11-20 25:00", "20.11.2026", "-3h"]) {
  test(`"${text}" is refused`, () => {
    assert.throws(() => parseTime(text, NOW_MS), { code: "E-USAGE" });
  });
}
