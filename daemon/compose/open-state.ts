/**
 * The state behind its guards: what the disk must have room for, and what ends the node.
 *
 * The simulation opens its sites by this, too: only the store, the disk and the clock are others.
 */
import type { SigningKey } from "../../protocol/keys/signature.ts";
import type { Clock } from "../core/clock.ts";
import type { Store } from "../core/store.ts";
import type { DiskGuard } from "../inventory/disk-guard.ts";
import type { Logger } from "../observe/log.ts";
import { guardedReplica, guardedWrite } from "../ports/guarded-state.ts";
import { guardedStore } from "../ports/guarded-store.ts";
import type { Replica } from "../state/replica.ts";
import { State } from "../state/state.ts";

export interface StateSurroundings {
  readonly level: Store;
  readonly disk: Pick<DiskGuard, "require">;
  readonly clock: Clock;
  readonly log: Logger;
  readonly siteKey: SigningKey;
  /** The node cannot go on: it has to end, and to be started again. */
  readonly onFailure: (error: unknown) => void;
}

export interface GuardedState {
  readonly state: State;
  /** Records of this site; refused on a full disk. */
  readonly write: State["write"];
  /** For peers; entries are refused on a full disk. */
  readonly replica: Replica;
  /** For the other parts of the node; refused on a full disk. */
  readonly store: Store;
}

/** @throws StateError when what is stored cannot be used. */
export async function openState(surroundings: StateSurroundings): Promise<GuardedState> {
  const { level, disk, clock, log, siteKey, onFailure } = surroundings;
  const requireRoom = (sizeBytes: number): Promise<void> => disk.require(sizeBytes);
  const store = guardedStore(level, { onFailure });
  const state = await State.open({ store, clock, log, siteKey });
  return {
    state,
    write: guardedWrite(state, requireRoom),
    replica: guardedReplica(state.replica, requireRoom),
    store: guardedStore(level, { require: requireRoom, onFailure }),
  };
}
