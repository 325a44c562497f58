/** The same few seeds each time, and those that once found something; scripts/fuzz draws new ones. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { z } from "zod";
import { SeededRandom } from "../fakes/seeded-random.ts";
import { Tally } from "./tally.ts";
import { TARGETS } from "./targets.ts";

const SEEDS = Array.from({ length: 8 }, (_, index) => 1_001 + index);
const corpus = z
  .array(z.object({ target: z.string(), seed: z.int(), found: z.string() }))
  .parse(JSON.parse(readFileSync(new URL("corpus.json", import.meta.url), "utf8")));

for (const { name, run, occurs } of TARGETS) {
  test(`${name}: whatever is accepted holds`, async (t) => {
    const tally = new Tally();
    for (const seed of SEEDS) {
      try {
        await run(new SeededRandom(seed), tally);
      } catch (cause) {
        throw new Error(`seed ${seed}`, { cause });
      }
    }
    t.diagnostic(tally.summary);
    for (const what of occurs) assert.ok(tally.of(what) > 0, `${what}: ${tally.summary}`);
  });
}

for (const { target, seed, found } of corpus) {
  test(`${target}, seed ${seed}: ${found}`, async () => {
    const named = TARGETS.find(({ name }) => name === target);
    assert.ok(named !== undefined);
    await named.run(new SeededRandom(seed), new Tally());
  });
}
