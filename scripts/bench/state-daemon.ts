/**
 * Runs the real daemon on a state that is on disk, from its start to the moment when it answers
 * DNS with it, and measures time and memory.
 */
import { createHash } from "node:crypto";
import { cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { TestSite } from "../../test-mesh/test-site.ts";
import { waitFor } from "../../test-mesh/wait.ts";
import { OBSERVER } from "./state-mesh.ts";

/** An address of this machine that nothing else is likely to use. */
const ADDRESS = "127.83.116.97";
const START_LIMIT_MS = 60_000;
/** After this the daemon has done what a start brings with it, and collected what it left. */
const SETTLE_MS = 15_000;

export interface DaemonFigures {
  /** From the start of the process to its word "ready". */
  readonly readySeconds: number;
  readonly residentBytes: number;
  readonly peakBytes: number;
}

/** @param state - Directory of the state, which is copied; undefined: a site without any. */
export async function measureDaemon(
  state: string | undefined,
  scratch: string,
  settleMs = SETTLE_MS,
): Promise<DaemonFigures> {
  const directory = join(scratch, "daemon");
  await mkdir(directory, { mode: 0o700 });
  const site = await TestSite.create({ name: OBSERVER, directory, address: ADDRESS, options: {} });
  await mkdir(site.dataDirectory, { mode: 0o700 });
  const seed = createHash("sha256").update(`test key ${OBSERVER}`).digest();
  await writeFile(join(site.dataDirectory, "site.key"), seed, { mode: 0o600 });
  if (state !== undefined) await cp(state, join(site.dataDirectory, "state"), { recursive: true });
  const fromMs = performance.now();
  const starting = site.start();
  await waitFor("the daemon's word", START_LIMIT_MS, async () =>
    (await readFile(site.logFile, "utf8").catch(() => "")).includes("pleach: ready"),
  );
  const readySeconds = (performance.now() - fromMs) / 1000;
  await starting;
  try {
    await sleep(settleMs);
    const status = await readFile(`/proc/${site.pid}/status`, "utf8");
    const kib = (name: string) => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1]) * 1024;
    return { readySeconds, residentBytes: kib("VmRSS"), peakBytes: kib("VmHWM") };
  } finally {
    await site.stop();
  }
}
