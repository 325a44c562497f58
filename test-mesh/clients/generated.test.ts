/** Random zones with wildcards and empty non-terminals: our answers are those of Knot and NSD. */
import { equal, ok } from "node:assert/strict";
import { it } from "node:test";
import { compareServers } from "../dns/compare-servers.ts";

const SEED = 2308;
/** `scripts/dns-compare` asks 5,000. */
const CASES = 600;

it("answers as Knot and NSD do where a name is missing, empty or below a wildcard", async (context) => {
  const { kinds, misses, split } = await compareServers(SEED, CASES);
  context.diagnostic(`seed ${SEED}: ${[...kinds].map((each) => each.join(" ")).join(", ")}`);
  equal(misses.length, 0, misses.slice(0, 3).join("\n"));
  ok(split < CASES / 50, `Knot and NSD differ in ${split} cases`);
  for (const kind of ["answer", "no data", "NXDOMAIN", "referral"]) ok((kinds.get(kind) ?? 0) > 20);
});
