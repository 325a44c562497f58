/**
 * How much of the machine the units could reach, as systemd itself rates it.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { it } from "node:test";

const UNITS = join(import.meta.dirname, "../../scripts/service");

/** Highest allowed exposure by `systemd-analyze security`, times ten. */
const THRESHOLDS = {
  "pleach.service": 20,
  "pleach-backup@.service": 15,
  "pleach-facts.service": 20,
};

for (const [unit, threshold] of Object.entries(THRESHOLDS)) {
  it(`${unit} is exposed by at most ${threshold / 10}`, () => {
    const result = spawnSync(
      "systemd-analyze",
      ["security", "--offline=true", "--no-pager", `--threshold=${threshold}`, join(UNITS, unit)],
      { encoding: "utf8" },
    );
    assert.equal(result.status, 0, result.stdout.slice(-300) + result.stderr);
    const rated = /exposure level for \S+: ([\d.]+)/.exec(result.stdout)?.[1];
    console.log(`figure service.exposure.${unit} ${rated}`);
  });
}
