/**
 * Kills and power cuts during backup, transfer, forgetting and restore lose nothing that was
 * acknowledged. A short, fixed part of what `scripts/crash-backups` does.
 *
 * The disks are mounted in a mount namespace of the test's own, so it starts itself once more in
 * there. Only root may mount disks.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { crashRounds } from "../crash/crash-rounds.ts";
import { runProcess } from "../run-process.ts";

const INSIDE = "PLEACH_TEST_NAMESPACE";
/** Its rounds have every work but collecting in them, and cuts of the owner and of a holder. */
const SEED = 4111;
const TIMEOUT_MS = 400_000;

if (process.env[INSIDE] === undefined) {
  test("six kills and two power cuts", { timeout: TIMEOUT_MS }, async (context) => {
    if (process.getuid?.() !== 0) return context.skip("only root may mount disks");
    const here = fileURLToPath(import.meta.url);
    const { exit, stdout, stderr } = await runProcess(
      "unshare",
      ["--mount", process.execPath, here],
      { env: { [INSIDE]: "1" }, timeoutMs: TIMEOUT_MS },
    );
    assert.equal(exit, 0, `${stdout}${stderr}`);
  });
} else {
  test("nothing acknowledged is lost, nothing stays behind", async (context) => {
    const numbers = { seed: SEED, kills: 6, cuts: 2, first: 1, looks: 0 } as const;
    const outcome = await crashRounds({ ...numbers, onRound: (text) => context.diagnostic(text) });
    assert.deepEqual(outcome.violations, []);
    assert.equal(outcome.rounds, 8);
    assert.ok(outcome.interrupted >= 2, "the crashes hardly met any work");
  });
}
