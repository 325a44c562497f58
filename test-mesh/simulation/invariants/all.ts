/** Every invariant of the replicated state, with the check that a healed mesh has to pass. */
import type { Healed } from "../heal.ts";
import { aConflictGivesNobodyMore } from "./a-conflict-gives-nobody-more.ts";
import { aCutLeavesNoTrace } from "./a-cut-leaves-no-trace.ts";
import { aForkEndsAtOnePrefix } from "./a-fork-ends-at-one-prefix.ts";
import { acceptedBytesAreCanonical } from "./accepted-bytes-are-canonical.ts";
import { authorsChangeOnlyTheirOwn } from "./authors-change-only-their-own.ts";
import { clocksChangeNothing } from "./clocks-change-nothing.ts";
import { equalSetsGiveEqualViews } from "./equal-sets-give-equal-views.ts";
import { equalWithinThreeRounds } from "./equal-within-three-rounds.ts";
import { everyEpochHasItsVotes } from "./every-epoch-has-its-votes.ts";
import { everyRecordHasARight } from "./every-record-has-a-right.ts";
import { floodsStayBounded } from "./floods-stay-bounded.ts";
import { laterVersionsSurvive } from "./later-versions-survive.ts";
import { noPlaceIsSignedTwice } from "./no-place-is-signed-twice.ts";
import { nothingConfirmedIsLost } from "./nothing-confirmed-is-lost.ts";
import { oneLogIsLeft } from "./one-log-is-left.ts";
import { pruningChangesNothing } from "./pruning-changes-nothing.ts";
import { rebuiltEqualsRunning } from "./rebuilt-equals-running.ts";
import { statementsCommute } from "./statements-commute.ts";
import { viewEqualsReference } from "./view-equals-reference.ts";
import { whatWasAdmittedLoads } from "./what-was-admitted-loads.ts";
import { zonesAreOne } from "./zones-are-one.ts";

type Check = (healed: Healed) => Promise<void> | void;

/** By number and words of the design. One wipes a disk, so it comes last but for what is to hold then. */
export const INVARIANTS: Readonly<Record<string, Check>> = {
  "1 equal sets give equal views": equalSetsGiveEqualViews,
  "2 the view equals a reference view": viewEqualsReference,
  "2 a rebuilt document equals the document": rebuiltEqualsRunning,
  "3 authors change only their own documents": authorsChangeOnlyTheirOwn,
  "4 every record has a right": everyRecordHasARight,
  "5 a cut leaves no trace": aCutLeavesNoTrace,
  "6 statements commute": statementsCommute,
  "7 a conflict gives nobody more": aConflictGivesNobodyMore,
  "7 every epoch has its votes": everyEpochHasItsVotes,
  "8 no place is signed twice": noPlaceIsSignedTwice,
  "8 nothing confirmed is lost": nothingConfirmedIsLost,
  "8 one log is left": oneLogIsLeft,
  "9 a fork ends at one prefix": aForkEndsAtOnePrefix,
  "10 floods stay bounded": floodsStayBounded,
  "11 equal within three rounds": equalWithinThreeRounds,
  "13 later versions survive": laterVersionsSurvive,
  "14 clocks change nothing": clocksChangeNothing,
  "15 what was admitted loads": whatWasAdmittedLoads,
  "16 accepted bytes are canonical": acceptedBytesAreCanonical,
  "12 pruning changes nothing": pruningChangesNothing,
  "17 zones are one": zonesAreOne,
};
