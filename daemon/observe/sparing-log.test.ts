import assert from "node:assert/strict";
import { test } from "node:test";
import { createLogger } from "./log.ts";
import { SparingLog } from "./sparing-log.ts";

function sparing() {
  const lines: string[] = [];
  const time = { nowMs: 0 };
  const logger = createLogger("info", (line) => lines.push(line), "state");
  return { lines, time, log: new SparingLog(logger, () => time.nowMs) };
}

test("the same is told at once, and then once a minute with how often it was", () => {
  const { lines, time, log } = sparing();
  for (let i = 0; i < 1_000; i++) log.warn("thief", "refused", () => ({ by: "thief", i }));
  log.warn("other", "refused", () => ({ by: "other" }));
  time.nowMs = 60_000;
  log.warn("thief", "refused", () => ({ by: "thief" }));
  assert.deepEqual(lines, [
    "<4>state: refused by=thief i=0",
    "<4>state: refused by=other",
    "<4>state: refused by=thief times=1000",
  ]);
});

test("who invents topics fills neither the log nor the memory", () => {
  const { lines, time, log } = sparing();
  for (let i = 0; i < 10_000; i++) log.warn(`topic ${i}`, "refused", () => ({}));
  assert.equal(lines.length, 512);
  time.nowMs = 60_000;
  log.warn("new", "refused", () => ({}));
  assert.equal(lines.length, 513);
});
