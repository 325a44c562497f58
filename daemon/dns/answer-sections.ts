/** The sections of an answer before they are bytes, and the response codes. */
import type { DnsName } from "../../protocol/dns/dns-name.ts";
import type { RRset } from "../core/zones/zone.ts";
import type { ServedZone } from "./zone-tree.ts";

/** RFC 1035 section 4.1.1, RFC 2136 section 2.2. */
export const RCODE = {
  NOERROR: 0,
  FORMERR: 1,
  SERVFAIL: 2,
  NXDOMAIN: 3,
  NOTIMP: 4,
  REFUSED: 5,
  YXDOMAIN: 6,
  /** RFC 6891 section 9; its upper bits stand in the OPT record. */
  BADVERS: 16,
} as const;

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
}
