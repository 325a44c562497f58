/** Every invariant of the replicated state, with the check that a healed mesh has to pass. */
import type { Healed } from "../heal.ts";
import { acceptedBytesAreCanonical } from "./accepted-bytes-are-canonical.ts";
import { equalSetsGiveEqualViews } from "./equal-sets-give-equal-views.ts";
import { noPlaceIsSignedTwice } from "./no-place-is-signed-twice.ts";
import { nothingConfirmedIsLost } from "./nothing-confirmed-is-lost.ts";
import { rebuiltEqualsRunning } from "./rebuilt-equals-running.ts";

type Check = (healed: Healed) => Promise<void> | void;

export const INVARIANTS: Readonly<Record<string, Check>> = {
  "1 equal sets give equal views": equalSetsGiveEqualViews,
  "2 a rebuilt document equals the document": rebuiltEqualsRunning,
  "8 no place is signed twice": noPlaceIsSignedTwice,
  "8 nothing confirmed is lost": nothingConfirmedIsLost,
  "16 accepted bytes are canonical": acceptedBytesAreCanonical,
};
