/**
 * How much of one owner a holder takes in on a day: a bucket that fills evenly.
 *
 * A box that was taken over can only fill what its owner may use at this pace, so that it is
 * noticed before there is no room for an honest run. The owner's key helps at once: a new
 * delegation opens a full bucket and the room that is kept back.
 */
import type { StatementId } from "../../../protocol/ids.ts";
import { DAY_MS } from "./retention-lock.ts";

/** Of what is lent, on one day. */
const DAILY_RATIO = 0.02;
/** A small offer still takes the run of a small data set in at once. */
const LEAST_DAILY_BYTES = 256 * 1024 ** 2;
/** Lists of one owner on one day: 64 groups each hour, and more. Each leaves a record. */
export const DAILY_LISTS = 4096;
/** Room that only a delegation that is not older than this may use. */
const KEPT_BACK_RATIO = 0.1;
const YOUNG_MS = 14 * DAY_MS;
/** Delegations of one owner that are remembered: one for each of its sites and sets, and old ones. */
export const MAX_KNOWN = 256;

export interface IntakeAccount {
  /** The DELEGATEs under which lists of the owner came, in the order in which they were first seen. */
  readonly known: readonly StatementId[];
  /** Running time at which the last of them was first seen. */
  readonly sinceMs: number;
  /** What may still be taken in at `atMs`. */
  readonly bytes: number;
  readonly lists: number;
  readonly atMs: number;
  /** The first upload is over: from then on the daily intake counts. */
  readonly firstDone: boolean;
}

/** What one owner may send on a day, in bytes. @param askedBytes - As configured. */
export function dailyBytes(spaceBytes: number, askedBytes: number | undefined): number {
  return Math.min(
    spaceBytes,
    askedBytes ?? Math.max(LEAST_DAILY_BYTES, Math.floor(spaceBytes * DAILY_RATIO)),
  );
}

/** The account now. @param perDayBytes - From {@link dailyBytes}. */
export function accountAt(
  account: IntakeAccount | undefined,
  delegation: StatementId,
  perDayBytes: number,
  nowMs: number,
): IntakeAccount {
  // Several may count at once: going from one to the other and back opens nothing.
  if (account === undefined || !account.known.includes(delegation)) {
    const known = [...(account?.known ?? []), delegation].slice(-MAX_KNOWN);
    const full = { bytes: perDayBytes, lists: DAILY_LISTS, atMs: nowMs };
    return { known, sinceMs: nowMs, ...full, firstDone: account?.firstDone ?? false };
  }
  const days = Math.max(0, nowMs - account.atMs) / DAY_MS;
  return {
    ...account,
    bytes: Math.min(perDayBytes, account.bytes + days * perDayBytes),
    lists: Math.min(DAILY_LISTS, account.lists + days * DAILY_LISTS),
    atMs: nowMs,
  };
}

/** What an owner may use of what is lent under one of its delegations, in bytes. */
export function roomFor(
  { known, sinceMs }: Pick<IntakeAccount, "known" | "sinceMs">,
  delegation: StatementId,
  spaceBytes: number,
  nowMs: number,
): number {
  const isYoung = known.at(-1) === delegation && nowMs - sinceMs < YOUNG_MS;
  return isYoung ? spaceBytes : Math.floor(spaceBytes * (1 - KEPT_BACK_RATIO));
}
