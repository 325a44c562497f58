/**
 * Measures the DNS server: rates beside others, latency beside other work, a large zone.
 *
 * Pleach is the real daemon of a mesh of one site, its zones brought in by `pleach dns import`.
 * Everything shares this machine with dnsperf, so figures are compared, not taken for themselves.
 */
import { randomInt } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { arch, availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { readOptions } from "../read-options.ts";
import { TestMesh } from "../../test-mesh/harness.ts";
import type { TestSite } from "../../test-mesh/test-site.ts";
import { measureLargeZone } from "./dns-zone.ts";
import { measureLatency, measureRate, type Latency, type Rate } from "./dns-load.ts";
import { RIVALS, waitUntilAnswered, type Place, type RivalPlan } from "./dns-rivals.ts";

const HELP = `scripts/bench/dns [--rounds N] [--seconds N] [--part rates|latency|zone] [--json]

rates    questions a second with one worker: Pleach, Pleach with dgram, Knot, NSD, dnsmasq, in turn
latency  50th and 99th percentile at 20,000 questions a second, idle and while 10,000 records come
         in from a second node
zone     a zone of 100,000 records: how long it takes to import and to load, and until a change is
         answered that was made at this node and at another

Default: all parts, 3 rounds of 5 seconds. Ends with 1 when a goal is missed.`;

const ZONE = "bench.example";
const NAMES = 1000;
/** Every tenth question is for a name that is not there. */
const QUESTIONS = Array.from({ length: NAMES }, (_, index) =>
  index % 10 === 9 ? `none${index}.${ZONE} A` : `h${index}.${ZONE} A`,
);
const LATENCY_QUESTIONS_PER_SECOND = 20_000;
const TAKEN_IN = 10_000;
const LARGE = 100_000;
/** Of the design. */
const GOALS = {
  ...{ toKnot: 1, dgramPerSecond: 60_000, addedP99Ms: 1 },
  ...{ largeLoadMs: 1000, largeChangeMs: 100, largeOthersChangeMs: 100 },
} as const;

type Figures = Record<string, number>;

async function main(): Promise<number> {
  const { values } = readOptions({
    options: {
      rounds: { type: "string", default: "3" },
      seconds: { type: "string", default: "5" },
      part: { type: "string" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const [rounds, seconds] = [Number(values.rounds), Number(values.seconds)];
  const { part } = values;
  const isPart = part === undefined || ["rates", "latency", "zone"].includes(part);
  if (!isPart || !Number.isInteger(rounds) || rounds < 1 || !(seconds > 0)) {
    console.error(
      "error E-USAGE: an option is wrong.\nNothing was run.\nSee scripts/bench/dns --help",
    );
    return 2;
  }
  const scratch = await mkdtemp(join(tmpdir(), "bench-dns-"));
  const figures: Figures = {};
  try {
    const files = await writeFiles(scratch);
    if (part === undefined || part === "rates") {
      Object.assign(figures, await measureRates(files, scratch, rounds, seconds));
    }
    if (part === undefined || part === "latency") {
      Object.assign(figures, await measureLatencies(files, scratch, seconds));
    }
    if (part === undefined || part === "zone") Object.assign(figures, await measureLarge(scratch));
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
  for (const [name, value] of Object.entries(figures)) say(`${name.padEnd(28)} ${value}`);
  const ok =
    !(Number(figures["ratioToKnot"]) < GOALS.toKnot) &&
    !(Number(figures["pleachDgramPerSecond"]) < GOALS.dgramPerSecond) &&
    !(Number(figures["addedP99Ms"]) > GOALS.addedP99Ms) &&
    !(Number(figures["largeLoadMs"]) > GOALS.largeLoadMs) &&
    !(Number(figures["largeChangeMs"]) > GOALS.largeChangeMs) &&
    !(Number(figures["largeOthersChangeMs"]) > GOALS.largeOthersChangeMs);
  if (values.json) {
    const machine = { arch: arch(), threads: availableParallelism(), node: process.version };
    console.log(JSON.stringify({ schemaVersion: 1, ok, machine, goals: GOALS, figures }));
  }
  return ok ? 0 : 1;
}

interface Files {
  readonly zoneFile: string;
  readonly hostsFile: string;
  readonly questions: string;
}

function zoneText(zone: string, names: number): string {
  const head = [
    `$ORIGIN ${zone}.`,
    "@ 300 IN SOA ns hostmaster 1 3600 300 1209600 60",
    "@ 300 IN NS ns",
    "ns 300 IN A 192.0.2.53",
  ];
  const hosts = Array.from(
    { length: names },
    (_, index) => `h${index} 300 IN A ${addressOf(index)}`,
  );
  return `${[...head, ...hosts].join("\n")}\n`;
}

function addressOf(index: number): string {
  return `10.${(index >> 16) & 255}.${(index >> 8) & 255}.${index & 255}`;
}

async function writeFiles(scratch: string): Promise<Files> {
  const files = {
    zoneFile: join(scratch, "zone"),
    hostsFile: join(scratch, "hosts"),
    questions: join(scratch, "questions"),
  };
  await writeFile(files.zoneFile, zoneText(ZONE, NAMES));
  const hosts = Array.from(
    { length: NAMES },
    (_, index) => `${addressOf(index)} h${index}.${ZONE}`,
  );
  await writeFile(files.hostsFile, `${hosts.join("\n")}\n`);
  await writeFile(files.questions, `${QUESTIONS.join("\n")}\n`);
  return files;
}

/** Every server in each round, so that what the machine does otherwise meets all of them. */
async function measureRates(
  files: Files,
  scratch: string,
  rounds: number,
  seconds: number,
): Promise<Figures> {
  const rates: Record<string, Rate[]> = {};
  const measure = async (name: string, place: Place, pid: number): Promise<void> => {
    const rate = await measureRate(place, pid, files.questions, seconds);
    (rates[name] ??= []).push(rate);
    const { perSecond, microseconds } = rate;
    say(`${name}: ${Math.round(perSecond)} a second, ${microseconds.toFixed(1)} microseconds each`);
  };
  for (let round = 1; round <= rounds; round++) {
    for (const [name, threads] of [
      ["pleach", 1],
      ["pleachDgram", 0],
    ] as const) {
      await withPleach(threads, files.zoneFile, (site, place) => measure(name, place, site.pid));
    }
    for (const [name, start] of Object.entries(RIVALS)) {
      const folder = join(scratch, `${name}-${round}`);
      await mkdir(folder, { mode: 0o755 });
      const plan: RivalPlan = { ...freePlace(), folder, zone: ZONE, ...files };
      const server = await start(plan);
      try {
        await measure(name, server, server.pid);
      } finally {
        await server.stop();
      }
    }
    say(`round ${round} of ${rounds} is done`);
  }
  const figures: Figures = {};
  const middle = (name: string, figure: keyof Rate): number =>
    median((rates[name] ?? []).map((rate) => rate[figure]));
  for (const name of Object.keys(rates)) {
    figures[`${name}PerSecond`] = Math.round(middle(name, "perSecond"));
    figures[`${name}Microseconds`] = rounded(middle(name, "microseconds"));
  }
  for (const rival of Object.keys(RIVALS)) {
    const ratio = middle("pleach", "perSecond") / middle(rival, "perSecond");
    figures[`ratioTo${rival[0]?.toUpperCase()}${rival.slice(1)}`] = rounded(ratio);
  }
  return figures;
}

/** The records come in over the mesh, from a site that imports them. */
async function measureLatencies(files: Files, scratch: string, seconds: number): Promise<Figures> {
  const incoming = join(scratch, "incoming");
  await writeFile(incoming, zoneText("incoming.example", TAKEN_IN));
  const figures: Figures = {};
  const mesh = await TestMesh.create();
  try {
    const [site, writer] = await mesh.form(["bench", "writer"], { dnsThreads: 1, dht: false });
    if (site === undefined || writer === undefined) throw new Error("no sites");
    const place = { address: site.address, port: site.dnsPort };
    await site.pleach("dns", "import", files.zoneFile, "--yes");
    await waitUntilAnswered(place, `h${NAMES - 1}.${ZONE}`);
    const measure = (forSeconds: number): Promise<Latency> =>
      measureLatency(place, files.questions, forSeconds, LATENCY_QUESTIONS_PER_SECOND);
    await measure(2);
    const idle = await measure(seconds);
    const start = performance.now();
    const importing = writer
      .pleach("dns", "import", incoming, "--yes")
      .then(() => waitUntilAnswered(place, `h${TAKEN_IN - 1}.incoming.example`))
      .then(() => {
        figures["takenInSeconds"] = rounded((performance.now() - start) / 1000);
      });
    const busy = await measure(seconds);
    await importing;
    Object.assign(figures, {
      idleP50Ms: rounded(idle.p50Ms),
      idleP99Ms: rounded(idle.p99Ms),
      busyP50Ms: rounded(busy.p50Ms),
      busyP99Ms: rounded(busy.p99Ms),
      addedP99Ms: rounded(busy.p99Ms - idle.p99Ms),
      busyLost: busy.lost,
    });
  } finally {
    await mesh.close();
  }
  return figures;
}

async function measureLarge(scratch: string): Promise<Figures> {
  const mesh = await TestMesh.create();
  try {
    const apex = "large.example";
    const zone = { apex, text: zoneText(apex, LARGE), last: `h${LARGE - 1}.${apex}` };
    const figures = await measureLargeZone(mesh, scratch, zone);
    return Object.fromEntries(
      Object.entries(figures).map(([name, value]) => [name, rounded(value)]),
    );
  } finally {
    await mesh.close();
  }
}

/** A mesh of one real site that serves the zone of the file. */
async function withPleach(
  dnsThreads: number,
  zoneFile: string | undefined,
  act: (site: TestSite, place: Place) => Promise<void>,
): Promise<void> {
  const mesh = await TestMesh.create();
  try {
    const [site] = await mesh.form(["bench"], { dnsThreads, dht: false });
    if (site === undefined) throw new Error("no site");
    const place = { address: site.address, port: site.dnsPort };
    if (zoneFile !== undefined) {
      await site.pleach("dns", "import", zoneFile, "--yes");
      await waitUntilAnswered(place, `h${NAMES - 1}.${ZONE}`);
    }
    await act(site, place);
  } finally {
    await mesh.close();
  }
}

/** An address of loopback that nothing else is likely to use. */
function freePlace(): Place {
  return { address: `127.${randomInt(1, 255)}.${randomInt(1, 255)}.9`, port: 5300 };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

function rounded(value = Number.NaN): number {
  return Number(value.toPrecision(3));
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

process.exit(await main());
