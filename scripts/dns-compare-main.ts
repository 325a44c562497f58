/** `scripts/dns-compare`: random zones and questions, answered by us, by Knot and by NSD. */
import { randomInt } from "node:crypto";
import { readOptions } from "./read-options.ts";
import { compareServers } from "../test-mesh/dns/compare-servers.ts";

const USAGE = `usage: scripts/dns-compare [--cases N] [--seed N] [--json]
  Draws zones in which wildcards and empty non-terminals abound, and questions that meet them;
  compares our answers with those of Knot and NSD from Debian. Default: 5000 cases, a new seed.
  Ends with 0 when all are equal.`;

const { values } = readOptions({
  options: {
    cases: { type: "string", default: "5000" },
    seed: { type: "string", default: String(randomInt(2 ** 31)) },
    json: { type: "boolean", default: false },
    help: { type: "boolean", short: "h", default: false },
  },
});
const [cases, seed] = [Number(values.cases), Number(values.seed)];
if (values.help) process.stdout.write(`${USAGE}\n`);
else if (!Number.isSafeInteger(cases) || cases < 1 || !Number.isSafeInteger(seed)) {
  process.stderr.write(
    `error E-USAGE: cases and seed are whole numbers.\nNothing was run.\n${USAGE}\n`,
  );
  process.exitCode = 2;
} else {
  process.stderr.write(`seed ${seed}\n`);
  const { kinds, misses, split } = await compareServers(seed, cases);
  for (const miss of misses) process.stderr.write(`${miss}\n`);
  const summary = {
    schemaVersion: 1,
    ...{ seed, cases, equal: cases - misses.length, split, kinds: Object.fromEntries(kinds) },
  };
  const text = `seed ${seed}: ${summary.equal} of ${cases} as Knot and NSD; these differ in ${split}`;
  process.stdout.write(`${values.json ? JSON.stringify(summary) : text}\n`);
  if (misses.length > 0) process.exitCode = 1;
}
