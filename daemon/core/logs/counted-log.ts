/** How far a log counts, and how much it says for others. */
import type { EnvelopeId, LogId, SiteId } from "../../../protocol/ids.ts";
import type { ClassName } from "../../../protocol/logs/record-class.ts";

/**
 * A log that counts: it says something that no other log has taken up, or statements name it.
 * What others have taken up is in the `past` of these.
 */
export interface CountedLog {
  readonly class: ClassName;
  readonly author: SiteId;
  readonly part: number;
  readonly log: LogId;
  /** The last entry that counts. */
  readonly seq: number;
  readonly head: EnvelopeId;
  /** The last entry that another log has taken up; 0: none. */
  readonly takenUp: number;
  /** How many entries lie in what it has itself taken up. */
  readonly past: number;
}
