/** One restore: from the root of a snapshot to files in an empty directory. */
import { readdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import { saveMemory } from "../run/memory-budget.ts";
import { locate } from "./restore-plan.ts";
import { faultOf, RestorePool } from "./restore-pool.ts";
import type { RestoreFigures, RestoreRequest } from "./restore-request.ts";
import { RestoreSelection } from "./restore-selection.ts";
import { RestoreStaging } from "./restore-staging.ts";
import { checkRoom, openTarget } from "./restore-target.ts";
import { TreeRestore } from "./tree-restore.ts";

/** From so much on all workers have something to do. */
const WARM_BYTES = 32 * 1024 * 1024;

/** @throws BackupError when the restore cannot go on; what was restored so far stays. */
export async function runRestore(request: RestoreRequest): Promise<RestoreFigures> {
  saveMemory();
  const only = request.only ?? [];
  const selection = new RestoreSelection(only);
  const targetFd = openTarget(request.target);
  if (selection.isWhole && readdirSync(request.target).length === 0) {
    checkRoom(request.target, request.record);
  }
  const what = [request.root, ...only.map((path) => Buffer.from(path).toString("hex"))].join(" ");
  const staging = RestoreStaging.open(targetFd, what);
  const { folder, keys } = request.reader;
  const { owner, set, setKey, epochs } = keys;
  const setup = { owner, set, setKey, epochs, folder };
  const pool = new RestorePool(setup, request.reader, availableParallelism());
  try {
    if (request.record.bytes >= WARM_BYTES && selection.isWhole) pool.warm();
    const locator = request.locator ?? (await locate(request.reader, request.root, request.record));
    const restore = new TreeRestore(request, { pool, locator, staging, selection, targetFd });
    const figures = await restore.run();
    await pool.close();
    staging.end();
    return figures;
  } catch (error) {
    // Workers may still be writing what they had begun.
    await pool.close();
    staging.leave();
    throw asFault(error);
  }
}

function asFault(error: unknown): unknown {
  if (error instanceof Error && "code" in error && "syscall" in error) {
    return faultOf(String(error.code), error.message);
  }
  return error;
}
