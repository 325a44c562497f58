import assert from "node:assert/strict";
import { test } from "node:test";
import { lineArea } from "./status-lines.ts";
import type { UplinkRule } from "../backup/uplink-rule.ts";

const ADSL: UplinkRule = {
  ...{ name: "adsl", interface: undefined, upload: 125_000, download: undefined },
  ...{ hours: { from: 22 * 60, to: 7 * 60 }, outside: undefined, metered: false },
};
const rates = { upload: 125_000, download: undefined };

test("no area where nothing is configured", () => {
  assert.deepEqual(lineArea([]), []);
});

test("says what a line carries, and until when copies wait", () => {
  const fourG = { ...ADSL, name: "4g", metered: true };
  const lines = [
    { rule: ADSL, opensInMs: 3_600_000, ...rates },
    { rule: ADSL, opensInMs: 0, ...rates },
    { rule: { ...ADSL, outside: 8000 }, opensInMs: 0, upload: 8000, download: 8000 },
    { rule: fourG, opensInMs: Number.POSITIVE_INFINITY, ...rates },
    { rule: { ...ADSL, hours: undefined }, opensInMs: 0, upload: undefined, download: undefined },
  ];
  const [finding] = lineArea(lines);
  assert.deepEqual(finding?.area.text.split("; "), [
    "adsl: waits until 22:00",
    "adsl: copies at 1 Mbit/s up until 07:00",
    "adsl: copies at 64 kbit/s up, 64 kbit/s down",
    "4g: metered, no copies",
    "adsl: copies at any rate",
  ]);
});
