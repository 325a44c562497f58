import assert from "node:assert/strict";
import { test } from "node:test";
import { frameBytes, MAX_WINDOW_BYTES, MIN_WINDOW_BYTES, nextWindow } from "./flow.ts";

/** Runs a line with this rate and round trip for a while, and gives the window it settles at. */
function settle(bytesPerMs: number, roundTripMs: number): number {
  let window = MIN_WINDOW_BYTES;
  for (let round = 0; round < 60; round++) {
    const elapsedMs = Math.max(roundTripMs, window / bytesPerMs, 40);
    const acked = Math.min(window * (elapsedMs / roundTripMs), bytesPerMs * elapsedMs);
    window = nextWindow(window, acked, elapsedMs, true);
  }
  return window;
}

test("an ADSL uplink of 1 Mbit/s queues about half a second", () => {
  const window = settle(125, 60);
  assert.ok(window >= 0.4 * 500 * 125 && window <= 1.1 * 500 * 125, `${window}`);
});

test("a fast line gets the largest window, a dying one the smallest", () => {
  assert.equal(settle(100_000, 1), MAX_WINDOW_BYTES);
  assert.equal(settle(8, 800), MIN_WINDOW_BYTES);
});

test("a sender with nothing to send does not shrink its window", () => {
  assert.equal(nextWindow(1_000_000, 10, 1000, false), 1_000_000);
  assert.ok(nextWindow(1_000_000, 10, 1000, true) < 1_000_000);
});

test("frames stay small on a slow line", () => {
  assert.equal(frameBytes(MIN_WINDOW_BYTES), 16 * 1024);
  assert.equal(frameBytes(MAX_WINDOW_BYTES), 256 * 1024);
});
