/** Whose turn it is where flows of bulk share a line: by urgency, then owner, then data set. */
import type { Share } from "../core/backup/fair-shares.ts";
import type { BulkFlow } from "../core/transport.ts";
import type { Urgency } from "../core/backup/uplink-rule.ts";

/** What a person waits for goes first, and yet leaves one part in twenty-five to copies. */
const WEIGHTS: Readonly<Record<Urgency, number>> = { restore: 16, proof: 4, repair: 4, spread: 1 };

export function flowShares({ urgency, owner, set }: BulkFlow): readonly Share[] {
  return [
    { name: urgency, weight: WEIGHTS[urgency] },
    { name: owner, weight: 1 },
    { name: set, weight: 1 },
  ];
}
