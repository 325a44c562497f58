/** A time in the past as people write it. */
import { parseDuration } from "../../config/quantities.ts";
import { UsageError } from "./exit.ts";

/**
 * Milliseconds since 1970 of `2026-11-20`, `2026-11-20 14:30` (both by the clock on the wall),
 * `2026-11-20T14:30Z`, or of `3h`, which is three hours ago.
 *
 * @throws UsageError
 */
export function parseTime(text: string, nowMs: number): number {
  const agoMs = parseDuration(text);
  if (agoMs !== undefined) return Math.max(0, nowMs - agoMs);
  const [, day, time = "00:00", zone = ""] =
    /^(\d{4}-\d\d-\d\d)(?:[ T](\d\d:\d\d(?::\d\d(?:\.\d{3})?)?))?(Z|[+-]\d\d:\d\d)?$/.exec(text) ??
    [];
  const atMs = day === undefined ? Number.NaN : Date.parse(`${day}T${time}${zone}`);
  if (Number.isFinite(atMs) && atMs >= 0) return atMs;
  throw new UsageError(
    `"${text}" is not a time.`,
    'Give one such as "2026-11-20", "2026-11-20 14:30", "2026-11-20T14:30Z" or "3h" (ago).',
  );
}
