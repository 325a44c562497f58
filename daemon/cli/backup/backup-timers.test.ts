import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { timerChanges } from "./backup-timers.ts";

describe("timerChanges", () => {
  it("enables new sets, disables those that left the configuration, leaves the others alone", () => {
    assert.deepEqual(timerChanges(["mail", "wiki"], ["old", "wiki"]), {
      enable: ["mail"],
      disable: ["old"],
    });
  });
});
