/** All Ferret tests against our responder, over its packets. See test-mesh/dns/ferret.ts. */
import { ok } from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import { it } from "node:test";
import { responderOf } from "../dns/asked-responder.ts";
import { ZoneTree } from "../../daemon/dns/zone-tree.ts";
import {
  ferretFile,
  majority,
  questionOf,
  readFerret,
  replyOf,
  type FerretTest,
} from "../dns/ferret.ts";
import { zoneOfLines } from "../dns/zone-lines.ts";

/** Shares of tests passed; they may rise, never fall. */
const UNANIMOUS_FLOOR = 1;
const MAJORITY_FLOOR = 1;

it("answers as BIND, Knot, NSD and PowerDNS do", (context) => {
  const file = ferretFile();
  if (file === undefined) {
    const missing =
      "the Ferret vectors are not here: set PLEACH_SHARED to the directory that has them";
    ok(process.env["CI"] === undefined, missing);
    context.skip(missing);
    return;
  }
  const tally = { unanimous: { passed: 0, all: 0 }, majority: { passed: 0, all: 0 } };
  const missed: string[] = [];
  for (const test of readFerret(file)) {
    const { servers, reply } = majority(test);
    if (servers < 3) continue;
    const got = replyTo(test);
    const passed = isDeepStrictEqual(got, reply);
    if (!passed) missed.push(`${test.id} (${servers} servers)`);
    if (!passed && process.env["FERRET_SHOW"]) show(test, got, reply);
    tally.majority.passed += passed ? 1 : 0;
    tally.majority.all += 1;
    if (servers < 4) continue;
    tally.unanimous.passed += passed ? 1 : 0;
    tally.unanimous.all += 1;
  }
  const rate = ({ passed, all }: { passed: number; all: number }) => passed / all;
  for (const [name, counts] of Object.entries(tally)) {
    const percent = (rate(counts) * 100).toFixed(2);
    context.diagnostic(`Ferret ${name}: ${counts.passed} of ${counts.all} (${percent} %)`);
  }
  const some = missed.slice(0, 20).join(", ");
  ok(tally.majority.all > 8000, "the file is not whole");
  ok(rate(tally.unanimous) >= UNANIMOUS_FLOOR, `missed: ${some}`);
  ok(rate(tally.majority) >= MAJORITY_FLOOR, `missed: ${some}`);
});

function replyTo(test: FerretTest) {
  const responder = responderOf(new ZoneTree([zoneOfLines(test.zone)]));
  const answer = responder.respond(questionOf(test), "udp");
  ok(answer !== undefined, `${test.id}: no answer`);
  return replyOf(answer);
}

function show(test: FerretTest, got: object, wanted: object): void {
  process.stderr.write(`${JSON.stringify({ id: test.id, query: test.Query, got, wanted })}\n`);
  process.stderr.write(`${test.zone}\n`);
}
