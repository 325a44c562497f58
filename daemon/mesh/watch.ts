/**
 * Which connections have to go.
 *
 * Liveness is ours: the library's monitor kills links of busy ADSL lines, and its keep-alive never
 * ends one. Each side of a link says something every 30 s (yamux's own ping), so a connection on
 * which nothing at all was heard for 90 s is dead.
 */
import type { WireAdmission } from "./guard.ts";

const SILENT_MS = 90_000;
/** A member says its hello at once after dialling, if it comes for a link. */
const NO_HELLO_MS = 20_000;
/** An outsider opens its one stream at once. */
const NO_STREAM_MS = 15_000;

export const WATCH_EVERY_MS = 5_000;

export interface WatchedConnection {
  readonly admission: WireAdmission;
  /** Whether a hello has passed. */
  readonly linked: boolean;
  readonly streams: number;
  /** Monotonic times. */
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
