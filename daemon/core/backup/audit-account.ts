/** What an asker adds up about a holder: bytes times days of its own running time. */
const DAY_MS = 86_400_000;

export interface ByteDays {
  /** Placed there. */
  readonly given: number;
  /** Said to be held in full. */
  readonly held: number;
  /** Of that, proven in the round that the time belongs to. */
  readonly proven: number;
  /** Since it was added up last. */
  readonly sinceMs: number;
}

export const NO_BYTE_DAYS: ByteDays = { given: 0, held: 0, proven: 0, sinceMs: 0 };

/** Adds the time since then, and begins anew. What is proven is never more than what is held. */
export function settleByteDays(
  before: ByteDays,
  now: { readonly givenBytes: number; readonly heldBytes: number; readonly isProven: boolean },
): ByteDays {
  const days = before.sinceMs / DAY_MS;
  const heldBytes = Math.min(now.heldBytes, now.givenBytes);
  return {
    given: before.given + now.givenBytes * days,
    held: before.held + heldBytes * days,
    proven: before.proven + (now.isProven ? heldBytes * days : 0),
    sinceMs: 0,
  };
}
