/**
 * Whether a service is up, from reports that come one by one.
 *
 * As monitoring software does it: three bad reports in a row make it fall, two good ones let it
 * rise, and one that falls again and again stays down until it has been steady for a while. So
 * what is answered changes seldom, however often reports change.
 *
 * Source: RFC 2439 section 4.2 for the damping, with the values that routers of Cisco and Juniper
 * come with, for services instead of routes: each fall weighs 1,000, half as much after 15 minutes;
 * above 2,000 it stays down, until below 750; at most an hour.
 */
import { MAX_VERDICT_WEIGHT, type ServiceState } from "../../../protocol/dns/steering-record.ts";

export const BAD_TO_FALL = 3;
export const GOOD_TO_RISE = 2;

const FALL_WEIGHT = 1000;
const HALF_LIFE_MS = 15 * 60_000;
const DAMP_ABOVE = 2000;
const FREE_BELOW = 750;

export interface Verdict {
  /** What is told to others. */
  readonly state: ServiceState;
  /** What the reports say by themselves, without damping. */
  readonly reported: ServiceState;
  /** Reports in a row that contradict `reported`. */
  readonly against: number;
  /** What falls weigh, at `atMs`; thousandths of a fall. */
  readonly weight: number;
  /** Of a clock that never jumps. */
  readonly atMs: number;
  /** Held down for having fallen too often. */
  readonly isDamped: boolean;
}

/** Before the first report a service counts as up. */
export function firstVerdict(nowMs: number): Verdict {
  return {
    state: "up",
    reported: "up",
    against: 0,
    weight: 0,
    atMs: nowMs,
    isDamped: false,
  };
}

/**
 * The verdict that a site told before it was started anew.
 *
 * @param agoMs - Since then, by the wall clock; what is negative counts as 0.
 */
export function verdictTold(
  told: { readonly state: ServiceState; readonly weight: number },
  agoMs: number,
  nowMs: number,
): Verdict {
  const weight = decayed(told.weight, Math.max(0, agoMs));
  const isDamped = told.weight > DAMP_ABOVE && weight >= FREE_BELOW;
  return {
    state: told.state,
    reported: told.state,
    against: 0,
    weight,
    atMs: nowMs,
    isDamped: isDamped && told.state === "down",
  };
}

/** The verdict after one more report. */
export function judge(before: Verdict, report: ServiceState, nowMs: number): Verdict {
  const against = report === before.reported ? 0 : before.against + 1;
  const turns = against >= (before.reported === "up" ? BAD_TO_FALL : GOOD_TO_RISE);
  const reported = turns ? report : before.reported;
  const rested = decayed(before.weight, nowMs - before.atMs);
  const falls = turns && report === "down";
  const weight = falls ? Math.min(rested + FALL_WEIGHT, MAX_VERDICT_WEIGHT) : rested;
  const isDamped = before.isDamped ? weight >= FREE_BELOW : weight > DAMP_ABOVE;
  return {
    state: isDamped ? "down" : reported,
    reported,
    against: turns ? 0 : against,
    weight,
    atMs: nowMs,
    isDamped,
  };
}

function decayed(weight: number, elapsedMs: number): number {
  return weight * 2 ** (-Math.max(0, elapsedMs) / HALF_LIFE_MS);
}
