/**
 * What bulk may do on one line now, by what its owner has configured.
 *
 * Hours are those of the wall clock at the site, minute by minute, so a day of 23 or 25 hours needs
 * no rule of its own. A restore, which a person waits for, and a proof, which says that data is
 * alive, pass at any hour and on any line; the rate holds for them as well.
 */

/** What bytes of bulk are for, the most urgent first. */
export type Urgency = "restore" | "proof" | "repair" | "spread";

/** Hours of the day, in minutes after midnight; `from` may lie after `to`: then over midnight. */
export interface Hours {
  /** 0 to 1439. */
  readonly from: number;
  /** 1 to 1440, not included. */
  readonly to: number;
}

export interface UplinkRule {
  readonly name: string;
  /** The network interface that it is; undefined: whatever no other rule names. */
  readonly interface: string | undefined;
  /** Bytes per second; undefined for no limit. */
  readonly upload: number | undefined;
  readonly download: number | undefined;
  /** When copies are made; undefined for always. */
  readonly hours: Hours | undefined;
  /** Bytes per second in each direction at other hours; undefined: no copies are made then. */
  readonly outside: number | undefined;
  /** Paid by volume: no copies are made over it. */
  readonly metered: boolean;
}

const DAY_MINUTES = 24 * 60;
const MINUTE_MS = 60_000;
/** Two days: beyond the longest wait for an hour of the day, whatever the clock does. */
const MOST_MINUTES = 2 * DAY_MINUTES;

export function isWithin({ from, to }: Hours, minuteOfDay: number): boolean {
  if (from < to) return minuteOfDay >= from && minuteOfDay < to;
  return minuteOfDay >= from || minuteOfDay < to;
}

/** Bytes per second in one direction now; undefined for no limit. */
export function rateOf(
  rule: UplinkRule,
  direction: "upload" | "download",
  minuteOfDay: number,
): number | undefined {
  const { hours, outside } = rule;
  const usual = rule[direction];
  if (hours === undefined || outside === undefined || isWithin(hours, minuteOfDay)) return usual;
  return Math.min(usual ?? outside, outside);
}

/**
 * Milliseconds until bytes of this urgency may pass: 0 for now, Infinity for never.
 *
 * @param wallMs - Now.
 * @param minuteOfDayAt - The minute of the day that a clock at the site shows at some wall time.
 */
export function opensInMs(
  rule: UplinkRule,
  urgency: Urgency,
  wallMs: number,
  minuteOfDayAt: (wallMs: number) => number,
): number {
  if (urgency === "restore" || urgency === "proof") return 0;
  if (rule.metered) return Number.POSITIVE_INFINITY;
  const { hours, outside } = rule;
  if (hours === undefined || outside !== undefined) return 0;
  if (isWithin(hours, minuteOfDayAt(wallMs))) return 0;
  const startMs = wallMs - (wallMs % MINUTE_MS);
  for (let minutes = 1; minutes <= MOST_MINUTES; minutes++) {
    const atMs = startMs + minutes * MINUTE_MS;
    if (isWithin(hours, minuteOfDayAt(atMs))) return atMs - wallMs;
  }
  return Number.POSITIVE_INFINITY;
}

/** A minute of the day as people write it. */
export function timeText(minuteOfDay: number): string {
  const two = (number: number): string => String(number).padStart(2, "0");
  return `${two(Math.floor(minuteOfDay / 60))}:${two(minuteOfDay % 60)}`;
}
