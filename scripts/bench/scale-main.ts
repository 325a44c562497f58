/** `scripts/bench/scale`: reads the command line, plays the mesh, prints the figures. */
import { readOptions } from "../read-options.ts";
import { ENTRY_BYTES, LargeMesh, type Journey } from "../../test-mesh/simulation/large-mesh.ts";
import { measureState } from "./scale-state.ts";

const HELP = `Examples:
  scripts/bench/scale                         1,000 nodes with 8 links each
  scripts/bench/scale --nodes 200 --seed 7    a smaller mesh, another network
  scripts/bench/scale --state 50              the size of the state of 50 sites instead
  scripts/bench/scale --json                  one object as the last line

Runs the real replication of so many nodes in one process over a network in memory; the state of
each node is a light stand-in, nothing is signed or stored. Tells in how many hops an edit reaches
all, what a node sends in a day in which nothing happens, and how long it takes until all are equal
after a third of the nodes was cut off for an hour. 1,000 nodes take some 20 minutes and 2 GB of
memory. Ends with 1 when an edit takes more than 6 hops. --state measures a real state of so many
sites with 200 services and 2,000 DNS records each: on disk, in memory, over the wire.`;

const MAX_HOPS = 6;
const EDITS = 20;
const LONG_EDITS = 3;
/** Above 16 KiB an entry is told of and fetched, not pushed on. */
const LONG_BYTES = 40 * 1024;
const REST_MS = 15 * 60_000;
const DAY_MS = 24 * 3_600_000;
const CUT_MS = 3_600_000;
const EDITS_WHILE_CUT = 100;

async function main(): Promise<number> {
  const { values } = readOptions({
    options: {
      nodes: { type: "string", default: "1000" },
      seed: { type: "string", default: "1" },
      state: { type: "string" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  if (values.state !== undefined) {
    const sites = Number(values.state);
    if (!Number.isInteger(sites) || sites < 1) {
      console.error("error E-USAGE: --state takes a number of sites");
      return 2;
    }
    const size = await measureState(sites);
    console.log(values.json ? JSON.stringify(size) : size);
    return 0;
  }
  const [nodes, seed] = [Number(values.nodes), Number(values.seed)];
  if (!Number.isInteger(nodes) || nodes <= 50 || !Number.isInteger(seed)) {
    console.error("error E-USAGE: --nodes takes a number above 50, --seed a number");
    return 2;
  }
  const say = (text: string): void => void (values.json ? {} : console.log(text));
  const mesh = new LargeMesh(nodes, seed);
  say(`${nodes} nodes, ${mesh.links} links`);
  await mesh.time.advance(REST_MS / 3);

  const short = await journeys(mesh, EDITS, ENTRY_BYTES);
  say(`an edit of ${ENTRY_BYTES} bytes: ${tell(short)}`);
  const long = await journeys(mesh, LONG_EDITS, LONG_BYTES);
  say(`an entry of ${LONG_BYTES} bytes: ${tell(long)}`);

  await mesh.time.advance(60_000);
  const sent = await mesh.sentPerNode(REST_MS);
  const aDay = DAY_MS / REST_MS;
  const restBytesPerDay = Math.round(sent.sizeBytes * aDay);
  const restFramesPerDay = Math.round(sent.frames * aDay);
  say(`at rest a node sends ${restBytesPerDay} bytes in ${restFramesPerDay} frames a day`);

  const healMs = await mesh.partAndHeal(1 / 3, CUT_MS, EDITS_WHILE_CUT);
  say(`equal ${(healMs / 1000).toFixed(1)} s after a third was cut off for an hour`);
  const figures = {
    nodes,
    seed,
    links: mesh.links,
    short,
    long,
    restBytesPerDay,
    restFramesPerDay,
  };
  if (values.json) console.log(JSON.stringify({ ...figures, healMs: Math.round(healMs) }));
  return short.hops <= MAX_HOPS ? 0 : 1;
}

/** The worst of so many edits. */
async function journeys(mesh: LargeMesh, edits: number, sizeBytes: number): Promise<Journey> {
  let [hops, tookMs] = [0, 0];
  for (let edit = 0; edit < edits; edit++) {
    const journey = await mesh.edit(sizeBytes, 120_000);
    hops = Math.max(hops, journey.hops);
    tookMs = Math.max(tookMs, Math.round(journey.tookMs));
    await mesh.time.advance(1_000);
  }
  return { hops, tookMs };
}

function tell({ hops, tookMs }: Journey): string {
  return `at most ${hops} hops, everywhere after ${tookMs} ms`;
}

process.exitCode = await main();
