/** The sections of an answer before they are bytes. */
import type { DnsName } from "../../protocol/dns/dns-name.ts";
import type { RRset } from "../core/zones/zone.ts";
import type { ServedZone } from "./zone-tree.ts";

/** A record set as it stands in a message: the owner may stand for a wildcard. */
export interface AnswerSet {
  readonly owner: DnsName;
  readonly rrset: RRset;
}

export interface AdditionalSet extends AnswerSet {
  /** RFC 9471: a referral without it leads nowhere, so it does not fit means truncation. */
  readonly required: boolean;
}

export interface Answer {
  readonly rcode: number;
  readonly authoritative: boolean;
  readonly answer: readonly AnswerSet[];
  readonly authority: readonly AnswerSet[];
  readonly additional: readonly AdditionalSet[];
  /** The zone that the asked name stands in; undefined when refused. */
  readonly zone: ServedZone | undefined;
  /** The asked name does not stand in a zone as it is: a wildcard, a DNAME or a cut answers. */
  readonly synthesized: boolean;
  /** The name that others have to be asked for: outside of all zones here, or at or below a cut. */
  readonly unresolved: DnsName | undefined;
}
