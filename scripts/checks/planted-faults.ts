/**
 * Plants one fault after another in a copy of the tree, and runs the simulation until it is caught.
 *
 *   node scripts/checks/planted-faults.ts [NAME]     those whose name has NAME in it; default: all
 *
 * Fails when one is not caught, and when one no longer fits the code.
 */
import { execFile } from "node:child_process";
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { PLANTED_FAULTS, type PlantedFault } from "../../test-mesh/simulation/planted/faults.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const PARTS = ["daemon", "protocol", "test-mesh", "package.json"];
const PROCESSES = 2;
/** The first ones pass on the sound tree: they are those of the tests. */
const FIRST_SEED = 101;
const SEEDS = 25;
/** A fault that makes a run hang is caught, too. */
const HUNG_AFTER_MS = 300_000;

const run = promisify(execFile);
const [wanted = ""] = process.argv.slice(2);
const left = PLANTED_FAULTS.filter(({ name }) => name.includes(wanted));
const total = left.length;
let missed = 0;

async function plant({ name, file, find, replace }: PlantedFault): Promise<string> {
  const source = await readFile(join(ROOT, file), "utf8");
  if (source.split(find).length !== 2) throw new Error(`${name}: does not fit ${file} any more`);
  const copy = await mkdtemp(join(tmpdir(), "pleach-planted-"));
  for (const part of PARTS) await cp(join(ROOT, part), join(copy, part), { recursive: true });
  await symlink(join(ROOT, "node_modules"), join(copy, "node_modules"));
  await writeFile(
    join(copy, file),
    source.replace(find, () => replace),
  );
  return copy;
}

/** What caught it; undefined when nothing did. */
async function simulate(copy: string): Promise<string | undefined> {
  const program = join(copy, "test-mesh/simulation/planted/until-caught.ts");
  const words = ["--disable-warning=ExperimentalWarning", program];
  try {
    const options = { timeout: HUNG_AFTER_MS, killSignal: "SIGKILL" } as const;
    const seeds = [FIRST_SEED, SEEDS].map(String);
    const { stdout } = await run(process.execPath, [...words, ...seeds], options);
    return stdout.trim();
  } catch (error) {
    const { killed, code, stderr } = error as { killed?: boolean; code?: number; stderr?: string };
    if (killed === true) return `a run hung for ${HUNG_AFTER_MS / 1000} s`;
    // 1 without a word is the answer that all seeds passed; all else is a process that broke down.
    return code === 1 && stderr === "" ? undefined : `the process ended with ${String(code)}`;
  }
}

async function work(): Promise<void> {
  for (let fault = left.shift(); fault !== undefined; fault = left.shift()) {
    const startedMs = performance.now();
    const copy = await plant(fault);
    try {
      const caught = await simulate(copy);
      const seconds = ((performance.now() - startedMs) / 1000).toFixed(0);
      if (caught === undefined) missed += 1;
      const verdict = caught === undefined ? "NOT CAUGHT" : "caught";
      console.log(`${verdict}: ${fault.name} (${fault.file}), ${seconds} s; ${caught ?? ""}`);
    } finally {
      await rm(copy, { recursive: true, force: true });
    }
  }
}

await Promise.all(Array.from({ length: PROCESSES }, work));
console.log(`${total - missed} of ${total} planted faults were caught`);
process.exitCode = missed > 0 || total === 0 ? 1 : 0;
