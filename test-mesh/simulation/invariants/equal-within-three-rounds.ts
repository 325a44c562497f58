/** After healing all honest members are equal within three rounds of replication. */
import assert from "node:assert/strict";
import { EQUAL_WITHIN_MS, type Healed } from "../heal.ts";

/** Pushes and the first round after a link are much faster than three rounds. */
const USUALLY_MS = 10_000;

export function equalWithinThreeRounds({ world, equalAfterMs }: Healed): void {
  assert.ok(equalAfterMs <= EQUAL_WITHIN_MS, `equal after ${equalAfterMs} ms`);
  if (equalAfterMs <= USUALLY_MS) world.sometimes.reached("equal within ten seconds");
}
