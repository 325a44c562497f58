/**
 * Watches over a long fuzz in a process of its own: what hangs, dies or grows is a find like any
 * other, and the fuzz goes on behind it.
 */
import { spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { createInterface } from "node:readline";
import { readOptions } from "./read-options.ts";

/** No seed takes a tenth of it on the slowest machine that we know. */
const STANDSTILL_MS = 60_000;
/** Of the heap: what one seed makes is a few megabytes. */
const MOST_HEAP_MIB = 512;
const RUN = new URL("../test-mesh/fuzz/fuzz-run.ts", import.meta.url).pathname;

interface Watched {
  /** The last seed that was begun. */
  readonly seed: number;
  readonly finds: number;
  readonly tried: number;
}

const { values } = readOptions({
  options: { seconds: { type: "string", default: "60" }, seed: { type: "string" } },
});
const seconds = Number(values.seconds);
const one = values.seed === undefined ? undefined : Number(values.seed);
if (!(seconds > 0) || (one !== undefined && !Number.isSafeInteger(one))) {
  console.error("error E-USAGE: a number is wrong. Nothing was run. See scripts/fuzz --help");
  process.exit(2);
}
const endMs = performance.now() + seconds * 1000;
let seed = one ?? randomInt(1, 2 ** 31);
let finds = 0;
let tried = 0;
do {
  const watched = await watch(seed, (endMs - performance.now()) / 1000, one === undefined ? 0 : 1);
  finds += watched.finds;
  tried += watched.tried;
  seed = watched.seed + 1;
} while (one === undefined && performance.now() < endMs);
console.log(`${tried} cases, ${finds} finds`);
process.exitCode = finds === 0 && tried > 0 ? 0 : 1;

/** Runs one process until it ends by itself, dies or stands still. */
async function watch(from: number, forSeconds: number, count: number): Promise<Watched> {
  const child = spawn(
    process.execPath,
    [
      ...["--disable-warning=ExperimentalWarning", `--max-old-space-size=${MOST_HEAP_MIB}`, RUN],
      ...[String(from), String(Math.max(1, forSeconds)), String(count)],
    ],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  let [at, last, found, cases, stands] = ["nothing", from, 0, 0, false];
  let timer = setTimeout(() => {}, 0);
  const find = (what: string): void => {
    found += 1;
    console.log(`FOUND ${at}: ${what}\n  again: scripts/fuzz --seed ${last}`);
  };
  const rewind = (): void => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      stands = true;
      child.kill("SIGKILL");
    }, STANDSTILL_MS);
  };
  rewind();
  for await (const line of createInterface({ input: child.stdout })) {
    rewind();
    const [word, ...rest] = line.split(" ");
    const text = rest.join(" ");
    if (word === "try") {
      [at, cases, last] = [text, cases + 1, Number(rest[1])];
    } else if (word === "found") find(String(JSON.parse(text)));
    else if (word === "tally") console.log(text);
  }
  clearTimeout(timer);
  const code = child.exitCode ?? (await new Promise((resolve) => child.once("exit", resolve)));
  if (stands) find(`no end within ${STANDSTILL_MS / 1000} s`);
  else if (code !== 0) find(`the process ended with ${child.signalCode ?? String(code)}`);
  return { seed: last, finds: found, tried: cases };
}
