/**
 * Which connections have to go.
 *
 * Liveness is ours: the library's monitor kills links of busy ADSL lines, and its keep-alive never
 * ends one. Each side of a link says something every 30 s (yamux's own ping), so a connection on
 * which nothing at all was heard for 90 s is dead.
 */
import type { Connection } from "@libp2p/interface";
import type { Clock } from "../core/clock.ts";
import type { Logger } from "../observe/log.ts";
import type { Guard, WireAdmission } from "./guard.ts";
import type { LinkTable } from "./link-table.ts";

const SILENT_MS = 90_000;
/** A member says its hello at once after dialling, if it comes for a link. */
const NO_HELLO_MS = 20_000;
/** An outsider opens its one stream at once. */
const NO_STREAM_MS = 15_000;

const WATCH_EVERY_MS = 5_000;

export interface WatchedConnection {
  readonly admission: WireAdmission;
  /** Whether a hello has passed. */
  readonly linked: boolean;
  /** Monotonic time of the last bytes of any kind. */
  readonly heardAtMs: number;
  /** Since when it carries no stream; undefined while it does. */
  readonly idleSinceMs: number | undefined;
}

/** Why the connection must be cut now, or undefined when it may stay. */
export function verdict(connection: WatchedConnection, nowMs: number): string | undefined {
  if (nowMs - connection.heardAtMs > SILENT_MS) return "nothing was heard for 90 s";
  if (connection.linked || connection.idleSinceMs === undefined) return undefined;
  const idleMs = nowMs - connection.idleSinceMs;
  if (connection.admission === "member") {
    return idleMs > NO_HELLO_MS ? "no hello came" : undefined;
  }
  return idleMs > NO_STREAM_MS ? "nothing was asked" : undefined;
}

export interface WatchOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly guard: Guard;
  readonly links: LinkTable;
}

/** Looks after the connections every few seconds. Returns what ends it. */
export function watchConnections(
  { clock, log, guard, links }: WatchOptions,
  connections: () => readonly Connection[],
): () => void {
  const idleSinceMs = new WeakMap<Connection, number>();
  const look = (connection: Connection, nowMs: number): void => {
    const wire = guard.wireOf(connection);
    if (wire === undefined) return;
    if (connection.streams.length > 0) idleSinceMs.delete(connection);
    else if (!idleSinceMs.has(connection)) idleSinceMs.set(connection, nowMs);
    const why = verdict(
      {
        admission: wire.admission,
        linked: links.has(connection),
        heardAtMs: wire.heardAtMs,
        idleSinceMs: idleSinceMs.get(connection),
      },
      nowMs,
    );
    if (why === undefined) return;
    log.info("cut a connection", { peer: wire.key, why });
    connection.abort(new Error(why));
  };
  let cancel = (): void => {};
  const round = (): void => {
    const nowMs = clock.monotonicMs();
    for (const connection of connections()) look(connection, nowMs);
    cancel = clock.after(WATCH_EVERY_MS, round);
  };
  round();
  return () => cancel();
}
