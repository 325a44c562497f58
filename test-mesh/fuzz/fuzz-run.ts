/**
 * One process of a long fuzz: seeds one after another, each announced before it is tried, so that
 * whoever watches knows which one a death or a standstill belongs to.
 */
import { SeededRandom } from "../fakes/seeded-random.ts";
import { Tally } from "./tally.ts";
import { TARGETS } from "./targets.ts";

const [first = "1", seconds = "60", count = "0"] = process.argv.slice(2);
const endMs = performance.now() + Number(seconds) * 1000;
const last = Number(count) > 0 ? Number(first) + Number(count) : Number.MAX_SAFE_INTEGER;
const tally = new Tally();
for (let seed = Number(first); seed < last && performance.now() < endMs; seed++) {
  for (const { name, run } of TARGETS) {
    process.stdout.write(`try ${name} ${seed}\n`);
    try {
      await run(new SeededRandom(seed), tally);
    } catch (error) {
      const told = error instanceof Error ? (error.stack ?? error.message) : String(error);
      process.stdout.write(`found ${JSON.stringify(told.slice(0, 4000))}\n`);
    }
  }
}
process.stdout.write(`tally ${tally.summary}\n`);
