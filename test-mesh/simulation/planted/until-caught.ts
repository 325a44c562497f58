/**
 * Runs seeds of the tree that this file stands in until an invariant does not hold.
 *
 *   until-caught.ts FIRST COUNT
 *
 * Ends with 0 and one line when it is caught, with 1 when all seeds pass.
 */
import { runSeed } from "../run-seed.ts";

const [first = 0, count = 0] = process.argv.slice(2).map(Number);
let caught = false;
for (let seed = first; seed < first + count && !caught; seed++) {
  const { violation } = await runSeed(seed);
  if (violation === undefined) continue;
  console.log(`seed ${seed}: ${violation.split("\n", 1)[0]}`);
  caught = true;
}
process.exitCode = caught ? 0 : 1;
