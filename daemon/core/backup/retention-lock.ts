/**
 * How long a holder keeps what an owner's lists no longer name: the retention lock.
 *
 * The owner's key alone sets the number of days, in DELEGATE. A longer lock counts at once; a
 * shorter one only after {@link SHORTENING_MS}, during which everybody sees it and may object.
 * Times are the holder's own running time: it never jumps, whatever any wall clock says.
 */
export const DAY_MS = 86_400_000;
/** How long a shorter lock stands before it counts. */
export const SHORTENING_MS = 14 * DAY_MS;
/** How long a shard whose lock is over lies in the trash. */
export const TRASH_MS = 14 * DAY_MS;

export interface LockTerm {
  /** The lock that counts now, in days. */
  readonly days: number;
  /** A shorter one that the owner wants, and the running time at which that was first seen. */
  readonly pending: { readonly days: number; readonly sinceMs: number } | null;
}

/**
 * The lock after a look at what the owner says now.
 *
 * @param saidDays - From the delegation in force; undefined when there is none: revoking an owner
 *   or a site ends no lock.
 * @param isObjected - Somebody who may has objected to a shorter lock: its time starts anew when
 *   the objection ends.
 */
export function nextTerm(
  term: LockTerm | undefined,
  saidDays: number | undefined,
  isObjected: boolean,
  nowMs: number,
): LockTerm | undefined {
  if (saidDays === undefined) return term === undefined ? undefined : { ...term, pending: null };
  if (term === undefined || saidDays >= term.days) return { days: saidDays, pending: null };
  if (isObjected) return { days: term.days, pending: null };
  const { days, pending } = term;
  if (pending?.days !== saidDays) {
    return { days, pending: { days: saidDays, sinceMs: nowMs } };
  }
  return nowMs - pending.sinceMs >= SHORTENING_MS ? { days: saidDays, pending: null } : term;
}
