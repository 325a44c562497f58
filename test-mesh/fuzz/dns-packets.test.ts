/** The same packets each time; scripts/fuzz-dns sends ten million others. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { SeededRandom } from "../fakes/seeded-random.ts";
import { DnsFuzz } from "./dns-packets.ts";

test("mutated DNS packets: sound answers of bounded size, or silence", (t) => {
  const fuzz = new DnsFuzz(new SeededRandom(5353));
  for (let left = 30_000; left > 0; left--) fuzz.next();
  const { seen } = fuzz;
  const ratio = seen.sentBytes / seen.receivedBytes;
  t.diagnostic(`${seen.answers} answers, ratio under a flood ${ratio.toFixed(2)}`);
  assert.ok(seen.answers > 20_000);
  assert.ok(seen.longestUdpBytes > 1000, "long answers were among them");
  assert.ok(ratio <= 1.5, `${ratio}`);
});
