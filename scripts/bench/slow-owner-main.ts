/** `scripts/bench/slow-owner`: reads the command line, measures on a slow line, prints the figures. */
import { readOptions } from "../read-options.ts";
import { parseRate } from "../../daemon/config/quantities.ts";
import { withMesh } from "../../test-mesh/harness.ts";
import { measureSlowOwner, type SlowOwnerFigures } from "../../test-mesh/slow-owner.ts";

const HELP = `Examples:
  scripts/bench/slow-owner                              1 Mbit/s, two runs of three full shards
  scripts/bench/slow-owner --rate "256 kbit/s" --shards 2
  scripts/bench/slow-owner --kib 256 --shards 40        smaller shards

Starts five sites as real processes; the first one's uplink carries the given rate. In the first run all
holders keep one another's receipts from the owner; in the second one the first hop is killed in the
middle. Ends with 1 when more than 1.05 x the sealed bytes leave the owner (in the second run: beside what the
killed holder alone had). Takes some four minutes.`;

/** The goal of the design: what leaves the owner's line, by the sealed bytes. */
const MAX_RATIO = 1.05;
/** A run takes twice as long at most, what the dead holder had included. */
const PATIENCE_FACTOR = 4;

async function main(): Promise<number> {
  const { values } = readOptions({
    options: {
      rate: { type: "string", default: "1 Mbit/s" },
      shards: { type: "string", default: "3" },
      kib: { type: "string", default: "4096" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const bytesPerSecond = parseRate(values.rate);
  const [count, sizeBytes] = [Number(values.shards), Number(values.kib) * 1024];
  if (bytesPerSecond === undefined || !(count > 0) || !(sizeBytes > 0)) {
    console.error("not understood; see --help");
    return 2;
  }
  const timeoutMs = 120_000 + (PATIENCE_FACTOR * count * sizeBytes * 1000) / bytesPerSecond;
  const sizes = Array.from({ length: count }, () => sizeBytes);
  const found: { figures?: SlowOwnerFigures } = {};
  await withMesh(async (mesh) => {
    const gates: { close(): void }[] = [];
    try {
      found.figures = await measureSlowOwner(mesh, gates, { bytesPerSecond, sizes, timeoutMs });
    } finally {
      for (const gate of gates) gate.close();
    }
  });
  const { figures } = found;
  console.log(JSON.stringify({ rate: values.rate, bytes: count * sizeBytes, ...figures }));
  const ratios = [figures?.withheldRatio ?? Infinity, figures?.killedRatio ?? Infinity];
  return ratios.every((ratio) => ratio <= MAX_RATIO) ? 0 : 1;
}

process.exitCode = await main();
