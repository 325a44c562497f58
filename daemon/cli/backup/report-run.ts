/** Tells the daemon how a run of a data set ended, for `pleach status`. */
import { doneShape } from "../../control/shapes-inventory.ts";
import type { RunReport } from "../../control/shapes-run.ts";
import type { CliContext } from "../shell/context.ts";

/**
 * Never fails the run that it reports: a daemon that is gone by now is warned of only.
 *
 * @param name - Of the set, as in the configuration.
 */
export async function reportRun(context: CliContext, name: string, run: RunReport): Promise<void> {
  try {
    await context.client.put(`/v1/backup/runs/${encodeURIComponent(name)}`, run, doneShape);
  } catch (error) {
    context.out.warn(`The daemon was not told how the run ended: ${(error as Error).message}`);
  }
}
