/** `pleach wait`: until the node is as far as a script needs it. */
import { setTimeout as sleep } from "node:timers/promises";
import { Command } from "commander";
import { parseDuration } from "../../config/quantities.ts";
import { statusShape, type Status } from "../../control/shapes-status.ts";
import { help, type CliContext } from "./context.ts";
import { CommandError, UsageError } from "./exit.ts";

type Condition = "daemon" | keyof Status["conditions"];
const CONDITIONS: readonly Condition[] = ["daemon", "joined", "mesh", "dns", "copies"];
const POLL_MS = 100;
/** A daemon that takes long to answer is asked less often. */
const REST_FACTOR = 5;

interface WaitOptions {
  readonly for: string;
  readonly sites?: string;
  readonly timeout: string;
}

export function waitCommand(context: CliContext): Command {
  const wait = new Command("wait")
    .requiredOption("--for <list>", `comma-separated: ${CONDITIONS.join(", ")}`)
    .option("--sites <number>", "the mesh counts as there only with so many sites")
    .option("--timeout <time>", "give up after this", "60s")
    .action(async (options: WaitOptions) => {
      const wanted = options.for.split(",").map(parseCondition);
      const timeoutMs = parseDuration(options.timeout);
      if (timeoutMs === undefined) {
        throw new UsageError(`"${options.timeout}" is not a time such as 60s or 5min.`);
      }
      const sites = Number(options.sites ?? 1);
      if (!Number.isSafeInteger(sites) || sites < 1) {
        throw new UsageError(`"${options.sites}" is not a number of sites.`);
      }
      const startMs = performance.now();
      const missing = await waitUntil(context, wanted, sites, startMs + timeoutMs);
      const seconds = (performance.now() - startMs) / 1000;
      if (missing.length === 0) {
        const text = `Ready after ${seconds.toFixed(1)} s: ${wanted.join(", ")}.`;
        return context.out.result({ ready: wanted, seconds }, text);
      }
      const message = `After ${options.timeout} not ready: ${missing.join(", ")}.`;
      throw new CommandError("E-TIMEOUT", message, { hint: "Look:  pleach status" });
    });
  return help(wait, "Waits until the node is ready: exit 0, or 1 when the time is over.", [
    ["pleach wait --for daemon", "the daemon answers"],
    ["pleach wait --for mesh,dns --timeout 60s", "all sites up and alike, same serials"],
    ["pleach wait --for mesh --sites 4", "the mesh has four sites or more, all up"],
    ["pleach wait --for copies --timeout 2h", "every data set has its copies"],
  ]);
}

/** @returns What has not come about; empty when all has. */
async function waitUntil(
  context: CliContext,
  wanted: readonly Condition[],
  sites: number,
  endMs: number,
): Promise<readonly Condition[]> {
  for (;;) {
    const askedMs = performance.now();
    const status = await context.client.get("/v1/status", statusShape).catch((error: unknown) => {
      if (!wanted.includes("daemon")) throw error;
      return undefined;
    });
    const missing = wanted.filter((condition) => {
      if (condition === "daemon") return status === undefined;
      if (condition === "mesh" && (status?.sites.all ?? 0) < sites) return true;
      return status?.conditions[condition] !== true;
    });
    if (missing.length === 0 || performance.now() > endMs) return missing;
    await sleep(Math.max(POLL_MS, REST_FACTOR * (performance.now() - askedMs)));
  }
}

function parseCondition(text: string): Condition {
  const found = CONDITIONS.find((condition) => condition === text);
  if (found !== undefined) return found;
  throw new UsageError(`"${text}" is nothing to wait for.`, `Known: ${CONDITIONS.join(", ")}.`);
}
