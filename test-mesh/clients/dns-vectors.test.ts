/** `scripts/dns-vectors` with a file of its own: what passes, what does not, what counts. */
import { deepEqual, equal, match } from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { it } from "node:test";
import { runProcess } from "../run-process.ts";

const PROGRAM = join(import.meta.dirname, "../../scripts/dns-vectors-main.ts");
const SOA = "ns.far. host.far. 3 604800 86400 2419200 60";

/** A test about `a.APEX A` whose right answer is `address`. */
function vector(id: string, apex: string, servers: string, address: string, type = "A"): string {
  const zone = `${apex} 500 IN SOA ${SOA}\n${apex} 500 IN NS ns.far.\na.${apex} 500 IN A 192.0.2.1\n`;
  const Response = [
    ...[
      "id 1",
      "opcode QUERY",
      "rcode NOERROR",
      "flags QR AA",
      ";QUESTION",
      `a.${apex} IN ${type}`,
    ],
    ...[";ANSWER", `a.${apex} 500 IN A ${address}`, ";AUTHORITY", ";ADDITIONAL"],
  ];
  const authority = Response.indexOf(";AUTHORITY") + 1;
  Response.splice(authority, 0, `${apex} 500 IN NS ns.far.`);
  const expected = [{ "Server/s": servers, Response }];
  return JSON.stringify({
    ...{ id, zone, Query: { Name: `a.${apex}`, Type: type }, "Expected Response": expected },
  });
}

it("counts what a daemon answers as the servers did", async () => {
  const directory = await mkdtemp(join(tmpdir(), "pleach-vectors-"));
  try {
    const file = join(directory, "tests.jsonl");
    const tests = [
      vector("1", "x.example.", "bind nsd knot powerdns ", "192.0.2.1"),
      vector("2", "x.example.", "nsd knot powerdns ", "192.0.2.1"),
      vector("3", "y.example.", "bind nsd knot powerdns ", "192.0.2.99"),
      vector("4", "z.example.", "bind nsd ", "192.0.2.1"),
    ];
    await writeFile(file, `${tests.join("\n")}\n`);
    const { exit, stdout, stderr } = await runProcess(process.execPath, [PROGRAM, file, "--json"]);
    const { seconds, ...counts } = JSON.parse(stdout.trim().split("\n").at(-1) ?? "");
    equal(typeof seconds, "number");
    deepEqual(counts, {
      schemaVersion: 1,
      tests: 4,
      unanimous: 2,
      unanimousPassed: 1,
      majority: 3,
      majorityPassed: 2,
    });
    equal(exit, 1, "a unanimous test is missed");
    match(stderr, /^missed 3 \(4 servers\): wanted .*192\.0\.2\.99.*got .*192\.0\.2\.1/m);
  } finally {
    await rm(directory, { recursive: true });
  }
});
