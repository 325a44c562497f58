/**
 * `scripts/dns-vectors FILE [--json]`: tests of the Ferret data set against a daemon.
 *
 * A daemon of its own is started; the zones go in by the code of `pleach dns import`, many at once
 * where none sees another, and answers come out of the daemon's UDP socket. A test that is missed
 * among others is asked again alone, and only that counts.
 */
import { resolve } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { zoneText } from "../protocol/dns/zone-record.ts";
import { parseDnsName, type DnsName } from "../protocol/dns/dns-name.ts";
import { PleachError } from "../protocol/error.ts";
import { zoneOfText } from "../daemon/cli/dns/read-zone.ts";
import { sendChange, type PutText, type RemoveText } from "../daemon/cli/dns/send-change.ts";
import type { FileZone } from "../daemon/core/zones/file-zone.ts";
import { textLine } from "../daemon/core/zones/zone-difference.ts";
import { ManyAskers } from "../test-mesh/dns/ask-many.ts";
import {
  majority,
  questionOf,
  readFerret,
  replyOf,
  type FerretTest,
  type Reply,
} from "../test-mesh/dns/ferret.ts";
import { planWaves } from "../test-mesh/dns/vector-waves.ts";
import { withMesh } from "../test-mesh/harness.ts";
import type { TestSite } from "../test-mesh/test-site.ts";

const USAGE = `usage: scripts/dns-vectors FILE [--json]
  FILE: tests as in the Ferret data set, one JSON object a line, .jsonl or .jsonl.gz.
  Starts a daemon, imports the zones, asks over UDP, and compares rcode, the flags QR, AA and TC
  and all three sections. The last line with --json is one object.
  Ends with 0 when all unanimous tests pass, and 99.5 % of those in which three servers agree.`;

/** Share of the tests with a majority that has to pass. */
const GOAL = 0.995;

interface Planned {
  readonly test: FerretTest;
  readonly servers: number;
  readonly wanted: Reply;
  readonly zone: FileZone;
  readonly question: DnsName;
}

interface Miss {
  readonly id: string;
  readonly servers: number;
  readonly reason: string;
}

const say = (text: string): void => void process.stderr.write(`${text}\n`);

async function main(): Promise<void> {
  const words = process.argv.slice(2);
  const json = words.includes("--json");
  const files = words.filter((word) => word !== "--json");
  if (words.includes("--help") || words.includes("-h"))
    return void process.stdout.write(`${USAGE}\n`);
  const [file] = files;
  if (file === undefined || files.length > 1 || file.startsWith("-")) {
    say(`error E-USAGE: one file is needed.\nNothing was run.\n${USAGE}`);
    process.exitCode = 2;
    return;
  }
  const startedMs = performance.now();
  const tests = readFerret(resolve(file));
  const misses: Miss[] = [];
  const planned = tests.flatMap((test) => plan(test, misses) ?? []);
  await withMesh(async (mesh) => {
    const [site] = await mesh.form(["vectors"], { dht: false });
    if (site === undefined) throw new TypeError("a mesh of one site has one");
    await run(site, planned, misses);
  });
  const seconds = Math.round((performance.now() - startedMs) / 100) / 10;
  report(tests, misses, json, seconds);
}

/** Undefined when too few servers agree, or the zone cannot be imported, which is a miss. */
function plan(test: FerretTest, misses: Miss[]): Planned | undefined {
  const { servers, reply: wanted } = majority(test);
  if (servers < 3) return undefined;
  try {
    const zone = zoneOfText(
      { name: `zone of ${test.id}`, bytes: Buffer.from(test.zone) },
      undefined,
    );
    return { test, servers, wanted, zone, question: parseDnsName(test.Query.Name) };
  } catch (error) {
    if (!(error instanceof PleachError)) throw error;
    misses.push({ id: test.id, servers, reason: error.message });
    return undefined;
  }
}

async function run(site: TestSite, planned: readonly Planned[], misses: Miss[]): Promise<void> {
  const askers = await ManyAskers.open(site.address, site.dnsPort);
  const server = new Server(site, askers);
  try {
    const waves = planWaves(planned);
    say(`${planned.length} tests, ${waves.length} sets of zones`);
    const again: Planned[] = [];
    for (const [index, wave] of waves.entries()) {
      const results = await server.missed(wave);
      again.push(...results.map(({ test }) => test));
      if (index % 50 === 49)
        say(`${index + 1} of ${waves.length} sets, ${again.length} to ask again`);
    }
    for (const test of again) {
      const [missed] = await server.missed([test]);
      if (missed === undefined) continue;
      const { id } = test.test;
      misses.push({ id, servers: test.servers, reason: missed.reason });
    }
  } finally {
    askers.close();
  }
}

class Server {
  readonly #site: TestSite;
  readonly #askers: ManyAskers;
  #there: RemoveText[] = [];

  constructor(site: TestSite, askers: ManyAskers) {
    this.#site = site;
    this.#askers = askers;
  }

  /** Serves these zones and no others, asks, and gives the tests that do not pass. */
  async missed(wave: readonly Planned[]): Promise<{ test: Planned; reason: string }[]> {
    const puts: PutText[] = wave.flatMap(({ zone }) =>
      zone.records.map((record) => ({ zone: zoneText(zone.apex), ...textLine(record) })),
    );
    // Removed first: what comes is a new zone, whose serial stands, also under the same name.
    if (this.#there.length > 0) await sendChange(this.#site.client, [], this.#there);
    await sendChange(this.#site.client, puts, []);
    this.#there = puts.map(({ zone, name, type, data }) => ({ zone, name, type, data }));
    const results = await Promise.all(
      wave.map(async (test) => ({ test, reason: await this.#difference(test) })),
    );
    return results.flatMap(({ test, reason }) => (reason === undefined ? [] : [{ test, reason }]));
  }

  async #difference({ test, wanted }: Planned): Promise<string | undefined> {
    const answer = await this.#askers.ask(questionOf(test));
    if (answer === undefined) return "no answer";
    const got = replyOf(answer);
    if (isDeepStrictEqual(got, wanted)) return undefined;
    return `wanted ${JSON.stringify(wanted)}, got ${JSON.stringify(got)}`;
  }
}

function report(
  tests: readonly FerretTest[],
  misses: readonly Miss[],
  json: boolean,
  seconds: number,
): void {
  const counts = tests.map((test) => majority(test).servers);
  const among = (least: number) => ({
    all: counts.filter((servers) => servers >= least).length,
    missed: misses.filter(({ servers }) => servers >= least).length,
  });
  const [all, most] = [among(4), among(3)];
  for (const { id, servers, reason } of misses) say(`missed ${id} (${servers} servers): ${reason}`);
  const summary = {
    schemaVersion: 1,
    tests: tests.length,
    unanimous: all.all,
    unanimousPassed: all.all - all.missed,
    majority: most.all,
    majorityPassed: most.all - most.missed,
    seconds,
  };
  if (json) process.stdout.write(`${JSON.stringify(summary)}\n`);
  else {
    process.stdout.write(
      `${summary.tests} tests in ${seconds} s: unanimous ${summary.unanimousPassed} of ` +
        `${summary.unanimous}, majority ${summary.majorityPassed} of ${summary.majority}\n`,
    );
  }
  if (all.missed > 0 || most.missed > (1 - GOAL) * most.all) process.exitCode = 1;
}

await main();
