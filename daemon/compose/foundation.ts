/** What everything else stands on: directory, site key, disk, store and state. */
import { join } from "node:path";
import { toHex } from "../../protocol/ids.ts";
import type { SigningKey } from "../../protocol/keys/signature.ts";
import type { Config } from "../config/config.ts";
import type { Clock } from "../core/clock.ts";
import { openDataDirectory, openSiteKey } from "../data-directory.ts";
import { DiskGuard } from "../inventory/disk-guard.ts";
import { LinuxHost } from "../inventory/linux-host.ts";
import type { Events } from "../observe/events.ts";
import type { Logger } from "../observe/log.ts";
import { systemClock } from "../observe/system-clock.ts";
import { openLevelStore } from "../state/level-store.ts";
import { openState, type GuardedState } from "./open-state.ts";

/** What stops a part; run in the opposite order of starting. */
export type Stops = (() => Promise<void> | void)[];

export interface Surroundings {
  readonly log: Logger;
  readonly events: Events;
  /** Filled as the parts start, also when one of them then fails to. */
  readonly stops: Stops;
  /** The node cannot go on: it has to end, and to be started again. */
  readonly onFailure: (error: unknown) => void;
}

export interface Foundation extends Surroundings, GuardedState {
  /** As it stands now; a reload replaces it. */
  readonly config: () => Config;
  readonly clock: Clock;
  readonly host: LinuxHost;
  readonly siteKey: SigningKey;
  /** Hexadecimal public half of the site key. */
  readonly siteId: string;
  readonly disk: DiskGuard;
  /** Milliseconds since the start. */
  readonly upMs: () => number;
}

/** @throws PleachError when the directory, the key or the store cannot be had. */
export async function openFoundation(
  config: () => Config,
  surroundings: Surroundings,
): Promise<Foundation> {
  const { log, stops, onFailure } = surroundings;
  const clock = systemClock;
  const host = new LinuxHost();
  const startedAtMs = clock.monotonicMs();
  const directory = config().data;
  await openDataDirectory(directory);
  const siteKey = await openSiteKey(directory, (size) => clock.random(size));
  const disk = await DiskGuard.start({ directory, host, clock, log: log.part("disk") });
  stops.push(() => disk.stop());
  const level = await openLevelStore({
    directory: join(directory, "state"),
    log: log.part("store"),
  });
  stops.push(() => level.close());
  const guarded = await openState({
    level,
    disk,
    clock,
    log: log.part("state"),
    siteKey,
    onFailure,
  });
  stops.push(() => guarded.state.close());
  return {
    ...surroundings,
    config,
    clock,
    host,
    siteKey,
    siteId: toHex(siteKey.publicKey),
    disk,
    ...guarded,
    upMs: () => clock.monotonicMs() - startedAtMs,
  };
}
