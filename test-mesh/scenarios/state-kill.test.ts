import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { silentLogger } from "../../daemon/observe/log.ts";
import { systemClock } from "../../daemon/observe/system-clock.ts";
import { openLevelStore } from "../../daemon/state/level-store.ts";
import { State } from "../../daemon/state/state.ts";
import { testKey } from "../fakes/founding.ts";
import { SeededRandom } from "../fakes/seeded-random.ts";

const ROUNDS = 15;
const scratch = await mkdtemp(join(tmpdir(), "pleach-kill-"));
after(() => rm(scratch, { recursive: true, force: true }));

/**
 * Runs the writer until it has acknowledged `target`, then kills it a moment later.
 *
 * @returns the last number that it acknowledged.
 */
async function runAndKill(first: number, target: number, delayMs: number): Promise<number> {
  const program = join(import.meta.dirname, "state-writer.ts");
  const child = spawn(process.execPath, [program, scratch, String(first)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let said = "";
  let killing = false;
  child.stdout.setEncoding("utf8");
  child.stdout.on("data", (text: string) => {
    said += text;
    if (killing || lastWhole(said) < target) return;
    killing = true;
    setTimeout(() => child.kill("SIGKILL"), delayMs);
  });
  const [, signal] = (await once(child, "close")) as [number | null, string | null];
  assert.equal(signal, "SIGKILL", "the writer ended by itself");
  return lastWhole(said);
}

function lastWhole(said: string): number {
  return Number(said.slice(0, said.lastIndexOf("\n")).split("\n").at(-1));
}

/** What has to be there when everything up to `last` was acknowledged. */
function expected(last: number): Map<string, number> {
  const records = new Map<string, number>();
  for (let number = 0; number <= last; number++) {
    records.set(`note/${number}`, number);
    if (number % 7 === 1) records.delete(`note/${number - 1}`);
    else records.set(`note/${number - 1}`, number);
  }
  return records;
}

test(`nothing acknowledged is lost in ${ROUNDS} rounds of kill -9`, async (t) => {
  const random = new SeededRandom(Number(process.env["PLEACH_SEED"] ?? 7));
  let next = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const more = 5 + ((random.bytes(1)[0] ?? 0) % 40);
    const last = await runAndKill(next, next + more, (random.bytes(1)[0] ?? 0) / 20);
    const store = await openLevelStore({
      directory: scratch,
      log: silentLogger,
      ballastBytes: 4096,
    });
    const siteKey = testKey("quimper");
    const state = await State.open({ store, clock: systemClock, log: silentLogger, siteKey });
    const shown = new Map(
      state
        .view()
        .entries("note")
        .map(({ key, value }) => [key, value]),
    );
    // The write under way may be there, whole, or not.
    const want = shown.has(`note/${last + 1}`) ? expected(last + 1) : expected(last);
    assert.deepEqual(new Map([...shown].toSorted(byKey)), new Map([...want].toSorted(byKey)));
    assert.equal(state.doubledSites().size, 0);
    await state.close();
    await store.close();
    next = last + 1;
  }
  t.diagnostic(`${next} writes acknowledged`);
});

function byKey(a: readonly [string, unknown], b: readonly [string, unknown]): number {
  return a[0] < b[0] ? -1 : 1;
}
