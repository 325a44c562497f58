/** What can be fuzzed. One case is one seed: it ends, or throws what it found. */
import type { SeededRandom } from "../fakes/seeded-random.ts";
import { fuzzEntries } from "./entries.ts";
import { fuzzMessages } from "./messages.ts";
import { fuzzStatements } from "./statements.ts";
import type { Tally } from "./tally.ts";

export interface Target {
  readonly name: string;
  readonly run: (random: SeededRandom, tally: Tally) => Promise<void> | void;
  /** What has to occur in the tally of a run that tested anything. */
  readonly occurs: readonly string[];
}

export const TARGETS: readonly Target[] = [
  {
    name: "entries",
    run: fuzzEntries,
    occurs: ["accepted", "parked", "header kept", "E-STATE-CONTENT", "E-ENVELOPE-FORM"],
  },
  {
    name: "statements",
    run: fuzzStatements,
    occurs: ["accepted", "waiting", "E-STATE-CHAIN", "E-STATEMENT-FORM"],
  },
  {
    name: "messages",
    run: fuzzMessages,
    occurs: ["read", "E-SYNC-FORM", "E-PRESENCE-FORM", "E-ENVELOPE-FORM", "E-AUDIT-MESSAGE"],
  },
];
