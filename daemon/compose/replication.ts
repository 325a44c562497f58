/**
 * Replication and presence over whatever transport there is.
 *
 * The simulation starts them by this, too.
 */
import type { SiteId } from "../../protocol/ids.ts";
import type { SigningKey } from "../../protocol/keys/signature.ts";
import { PLEACH_VERSION } from "../config/version.ts";
import type { Clock } from "../core/clock.ts";
import type { Transport } from "../core/transport.ts";
import type { Logger } from "../observe/log.ts";
import { Presence } from "../state/presence.ts";
import { Sync } from "../state/sync/sync.ts";
import type { GuardedState } from "./open-state.ts";

export interface ReplicationSetup extends Pick<GuardedState, "state" | "replica"> {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly log: Logger;
  readonly siteKey: SigningKey;
}

export interface Replication {
  readonly sync: Sync;
  readonly presence: Presence;
  /** Ends all exchanges at once. */
  readonly stop: () => void;
}

/** Call before links come up: it serves members from then on. */
export function startReplication(setup: ReplicationSetup): Replication {
  const { state, replica, transport, clock, log, siteKey } = setup;
  const shared = { transport, clock, meshId: () => state.meshId };
  const isMember = (site: SiteId): boolean => state.mayLink(site);
  const sync = new Sync({ ...shared, replica, isMember, log: log.part("sync") });
  const presence = new Presence({
    ...shared,
    log: log.part("presence"),
    siteKey,
    version: PLEACH_VERSION,
    members: () => [...state.authority().sites.keys()],
    stateDigest: () => state.replica.stateDigest(),
  });
  sync.start();
  presence.start();
  const onState = state.subscribe(() => presence.stateChanged());
  const stop = (): void => {
    onState();
    presence.stop();
    sync.stop();
  };
  return { sync, presence, stop };
}
