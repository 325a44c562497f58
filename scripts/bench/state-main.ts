/** `scripts/bench/state`: reads the command line, measures in processes of their own, prints. */
import { mkdtemp, rm } from "node:fs/promises";
import { arch, availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { readOptions } from "../read-options.ts";
import { runProcess } from "../../test-mesh/run-process.ts";
import { measureDaemon } from "./state-daemon.ts";
import { makeEntries, type Kind } from "./state-mesh.ts";

const HELP = `Examples:
  scripts/bench/state                     three rounds with 50 sites of 2,000 DNS records each
  scripts/bench/state --per-write 1       each record in an entry of its own
  scripts/bench/state --kind note         records that the daemon does not serve as zones
  scripts/bench/state --rounds 1 --json   one object as the last line

Measures the replicated state with real files and real signatures: how many entries of peers a site
verifies, admits and syncs in a second, beside plain Ed25519 verification; how long the state and
the whole daemon take to start with all of it, and how much memory they have then; how long one
write takes beside all the others; what a day of heartbeats leaves on disk. Prints medians. Needs
300 MB in TMPDIR and some minutes. Ends with 1 when a goal is missed.`;

const MEASURE = new URL("state-measure.ts", import.meta.url).pathname;
const TIMEOUT_MS = 10 * 60_000;
const MIB = 1024 * 1024;

const GOALS = { entriesPerSecond: 5000, daemonReadySeconds: 3, daemonResidentMiB: 250 } as const;

interface Plan {
  readonly sites: number;
  readonly rounds: number;
  readonly perWrite: number;
  readonly kind: Kind;
  readonly json: boolean;
}

/** Named figures of one round. */
type Figures = Readonly<Record<string, number>>;

async function main(): Promise<number> {
  const plan = readPlan();
  if (plan === undefined) {
    console.log(HELP);
    return 0;
  }
  const scratch = await mkdtemp(join(tmpdir(), "bench-"));
  try {
    const figures = await measureAll(plan, scratch);
    const isMet =
      (figures["entriesPerSecond"] ?? 0) >= GOALS.entriesPerSecond &&
      (figures["daemonReadySeconds"] ?? Infinity) <= GOALS.daemonReadySeconds &&
      (figures["daemonResidentMiB"] ?? Infinity) <= GOALS.daemonResidentMiB &&
      figures["heartbeatBytes"] === 0;
    for (const [name, value] of Object.entries(figures)) say(`${name.padEnd(24)} ${value}`);
    if (plan.json) {
      const machine = { arch: arch(), threads: availableParallelism(), node: process.version };
      console.log(JSON.stringify({ schemaVersion: 1, ok: isMet, machine, goals: GOALS, figures }));
    }
    return isMet ? 0 : 1;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

function readPlan(): Plan | undefined {
  const { values } = readOptions({
    options: {
      sites: { type: "string", default: "50" },
      rounds: { type: "string", default: "3" },
      "per-write": { type: "string", default: "10" },
      kind: { type: "string", default: "zone" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) return undefined;
  const count = (name: "sites" | "rounds" | "per-write"): number => {
    const value = Number(values[name]);
    if (Number.isInteger(value) && value >= 1) return value;
    console.error(`error E-USAGE: --${name} takes a number from 1.`);
    console.error("Nothing was run.\nSee scripts/bench/state --help");
    process.exit(2);
  };
  return {
    sites: count("sites"),
    rounds: count("rounds"),
    perWrite: count("per-write"),
    kind: values.kind === "note" ? "note" : "zone",
    json: values.json,
  };
}

async function measureAll(plan: Plan, scratch: string): Promise<Figures> {
  const { kind, sites, perWrite, rounds } = plan;
  const file = join(scratch, "entries");
  const made = { kind, sites, recordsPerSite: 2000, recordsPerWrite: perWrite };
  const entries = await makeEntries(made, file);
  say(`${sites * made.recordsPerSite} records of ${sites} sites in ${entries} entries`);
  const all: Figures[] = [];
  for (let round = 1; round <= rounds; round++) {
    const directory = join(scratch, `round-${round}`);
    const measure = (what: string) => run(what, sites, file, directory);
    const { perSecond: plain = NaN } = await measure("verify");
    const admitted = await measure("admit");
    const opened = await measure("open");
    const edited = await measure("write");
    const { addedBytes = NaN } = round === 1 ? await measure("heartbeats") : {};
    const daemonScratch = await mkdtemp(join(scratch, "daemon-"));
    const daemon = await measureDaemon(directory, daemonScratch);
    const figures = {
      plainVerificationsPerSecond: plain,
      entriesPerSecond: admitted["perSecond"] ?? NaN,
      ratioToPlain: (admitted["perSecond"] ?? NaN) / plain,
      feedGrowthMiB: ((admitted["mostBytes"] ?? NaN) - (admitted["startBytes"] ?? NaN)) / MIB,
      records: opened["records"] ?? NaN,
      documents: opened["documents"] ?? NaN,
      openSeconds: opened["openSeconds"] ?? NaN,
      openAndViewSeconds: opened["viewSeconds"] ?? NaN,
      writeMs: edited["writeMs"] ?? NaN,
      viewAfterWriteMs: edited["viewMs"] ?? NaN,
      ...(round === 1 ? { heartbeatBytes: addedBytes } : {}),
      daemonReadySeconds: daemon.readySeconds,
      daemonResidentMiB: daemon.residentBytes / MIB,
      daemonPeakMiB: daemon.peakBytes / MIB,
    };
    all.push(figures);
    await rm(directory, { recursive: true });
    say(`round ${round} of ${rounds} is done`);
  }
  const names = Object.keys(all[0] ?? {});
  return Object.fromEntries(
    names.map((name) => [name, median(all.flatMap((one) => one[name] ?? []))]),
  );
}

async function run(what: string, sites: number, file: string, directory: string): Promise<Figures> {
  const flags = ["--disable-warning=ExperimentalWarning", "--max-semi-space-size=4"];
  const args = [...flags, MEASURE, what, String(sites), file, directory];
  const { exit, stdout, stderr } = await runProcess(process.execPath, args, {
    timeoutMs: TIMEOUT_MS,
  });
  if (exit !== 0) throw new Error(`${what}: exit ${exit}\n${stderr.slice(-2000)}`);
  return JSON.parse(stdout) as Figures;
}

function median(values: readonly number[]): number {
  const middle = values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN;
  return Number(middle.toPrecision(4));
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

process.exit(await main());
