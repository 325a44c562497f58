/**
 * Makes systemd's timers match the `[[backup]]` parts of the configuration.
 *
 * `scripts/install` and `pleach backup add` call it; after editing the file by hand a person does.
 * Each set has one timer that looks whether the set is due, so a changed `every` needs nothing.
 */
import { execFile } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { promisify } from "node:util";
import type { Config } from "../../config/config.ts";
import { PleachError } from "../../../protocol/error.ts";

export class TimerError extends PleachError<"E-TIMER-SYSTEMCTL"> {}

export interface TimerChanges {
  /** False where Pleach is not installed as a service; then there is nothing to do. */
  readonly installed: boolean;
  readonly enabled: readonly string[];
  readonly disabled: readonly string[];
}

const UNIT_FOLDER = "/etc/systemd/system";
const TEMPLATE = `${UNIT_FOLDER}/pleach-backup@.timer`;
const WANTS = `${UNIT_FOLDER}/timers.target.wants`;
const TIMER = /^pleach-backup@([a-z0-9-]+)\.timer$/;
const SYSTEMCTL_TIMEOUT_MS = 30_000;

/** Names of the sets that a timer can run: for standard input somebody has to give it. */
export function timedSets({ backups }: Config): readonly string[] {
  const timed = backups.filter(
    ({ stream }) => stream === undefined || stream.command !== undefined,
  );
  return timed.map(({ name }) => name);
}

/**
 * What has to change so that just the wanted sets have a timer.
 *
 * @param wanted - Names of the configured sets.
 * @param present - Names of the sets that have an enabled timer.
 */
export function timerChanges(
  wanted: readonly string[],
  present: readonly string[],
): { readonly enable: readonly string[]; readonly disable: readonly string[] } {
  return {
    enable: wanted.filter((name) => !present.includes(name)),
    disable: present.filter((name) => !wanted.includes(name)),
  };
}

/** @throws TimerError when systemctl refuses; what it had changed until then stays. */
export async function applyTimers(wanted: readonly string[]): Promise<TimerChanges> {
  if (!existsSync(TEMPLATE)) return { installed: false, enabled: [], disabled: [] };
  const present = existsSync(WANTS)
    ? readdirSync(WANTS).flatMap((file) => TIMER.exec(file)?.[1] ?? [])
    : [];
  const { enable, disable } = timerChanges(wanted, present);
  for (const name of enable) await systemctl("enable", name);
  for (const name of disable) await systemctl("disable", name);
  return { installed: true, enabled: enable, disabled: disable };
}

async function systemctl(verb: "enable" | "disable", name: string): Promise<void> {
  const unit = `pleach-backup@${name}.timer`;
  try {
    await promisify(execFile)("systemctl", [verb, "--now", "--quiet", unit], {
      timeout: SYSTEMCTL_TIMEOUT_MS,
    });
  } catch (cause) {
    throw new TimerError("E-TIMER-SYSTEMCTL", `systemctl could not ${verb} ${unit}.`, {
      cause,
      changed: "Timers of other sets may have been changed.",
      hint: `Run: systemctl ${verb} --now ${unit}`,
    });
  }
}
