/** `scripts/mutate-shards`: promise T2 at its full length. */
import { readOptions } from "./read-options.ts";
import { SeededRandom } from "../test-mesh/fakes/seeded-random.ts";
import { mutateShards } from "../test-mesh/hostile/shard-mutations.ts";

const { values } = readOptions({
  options: {
    cases: { type: "string", default: "100000" },
    seed: { type: "string", default: "1" },
  },
});
const [cases, seed] = [Number(values.cases), Number(values.seed)];
if (!Number.isSafeInteger(cases) || cases < 1 || !Number.isSafeInteger(seed)) {
  console.error("error E-USAGE: a number is wrong. Nothing was run. See scripts/mutate-shards -h");
  process.exit(2);
}
const { same, missed } = mutateShards(new SeededRandom(seed), cases);
for (const each of missed) console.log(`MISSED ${each}`);
console.log(`${cases} mutants, ${same} of them as before, ${missed.length} missed; seed ${seed}`);
process.exitCode = missed.length === 0 ? 0 : 1;
