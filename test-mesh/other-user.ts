/** Running daemons as another user than the commands, as on an installed machine. */
import { spawnSync } from "node:child_process";
import { chmodSync, cpSync } from "node:fs";
import { join, relative } from "node:path";
import { runProcess, type RunResult } from "./run-process.ts";
import type { SiteOptions } from "./test-site.ts";

/** A user that owns nothing on this machine; no name is needed. */
const DAEMON_USER = 64_901;
const REPOSITORY = join(import.meta.dirname, "..");

/**
 * Options of sites whose daemons run as a user that owns nothing; needs root. Lets that user
 * pass through the directory, and gives it a copy of the program there if it cannot read this one.
 *
 * @param directory - Of the whole mesh.
 */
export function asOtherUser(directory: string): SiteOptions {
  chmodSync(directory, 0o711);
  const user = { uid: DAEMON_USER, gid: DAEMON_USER };
  const entry = join(REPOSITORY, "daemon/pleach.ts");
  const runs = spawnSync(process.execPath, ["--version"], user);
  const sees = spawnSync("/usr/bin/test", ["-r", entry], user);
  if (runs.status === 0 && sees.status === 0) return { user: DAEMON_USER };
  const copy = join(directory, "program");
  for (const part of ["daemon", "protocol", "package.json", "node_modules"]) {
    cpSync(join(REPOSITORY, part), join(copy, part), { recursive: true, verbatimSymlinks: true });
  }
  const inside = relative(REPOSITORY, process.execPath);
  const node = inside.startsWith("..") ? process.execPath : join(copy, inside);
  return { user: DAEMON_USER, program: join(copy, "daemon/pleach.ts"), node };
}

/** Runs a program as that user. */
export function runAsOtherUser(program: string, args: readonly string[]): Promise<RunResult> {
  const id = String(DAEMON_USER);
  return runProcess("setpriv", [
    ...["--reuid", id, "--regid", id, "--clear-groups", program],
    ...args,
  ]);
}
