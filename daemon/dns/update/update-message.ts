/**
 * The form of an update, before anything is compared with a zone.
 *
 * Source: RFC 2136 sections 2, 3.1 and 3.4.1 (prescan).
 */
import { CLASS, RCODE } from "../../../protocol/dns/dns-code.ts";
import type { DecodedMessage } from "../../../protocol/dns/decode-message.ts";
import { isWithin, lowerCase, type DnsName } from "../../../protocol/dns/dns-name.ts";
import { isZoneType, TYPE } from "../../../protocol/dns/dns-type.ts";
import type { DnsRecord } from "../../../protocol/dns/message.ts";
import { isSoundRdata } from "../../../protocol/dns/rdata.ts";

/** What has to be so before anything is changed (section 2.4). */
export type Prerequisite =
  | { readonly kind: "name-used" | "name-unused"; readonly owner: DnsName }
  | { readonly kind: "set-there" | "set-not-there"; readonly owner: DnsName; readonly type: number }
  /** One record of a set that has to be there with just the records that are named. */
  | {
      readonly kind: "set-equals";
      readonly owner: DnsName;
      readonly type: number;
      readonly rdata: Uint8Array;
    };

/** One step (section 2.5). */
export type UpdateStep =
  | {
      readonly kind: "add";
      readonly owner: DnsName;
      readonly type: number;
      readonly ttl: number;
      readonly rdata: Uint8Array;
    }
  | { readonly kind: "delete-name"; readonly owner: DnsName }
  | { readonly kind: "delete-set"; readonly owner: DnsName; readonly type: number }
  | {
      readonly kind: "delete-record";
      readonly owner: DnsName;
      readonly type: number;
      readonly rdata: Uint8Array;
    };

/** The zone that an update is about, or the code that refuses it. */
export function zoneOfUpdate({ questions }: DecodedMessage): DnsName | number {
  const [zone] = questions;
  // Section 3.1.1: "If there is not exactly one record [...] or its type is not SOA: FORMERR".
  if (questions.length !== 1 || zone === undefined || zone.type !== TYPE.SOA) return RCODE.FORMERR;
  return zone.class === CLASS.IN ? lowerCase(zone.name) : RCODE.NOTAUTH;
}

/** Section 3.2. A code is that of the first record that is wrong. */
export function readPrerequisites(
  { answers }: DecodedMessage,
  zone: DnsName,
): readonly Prerequisite[] | number {
  const found: Prerequisite[] = [];
  for (const record of answers) {
    if (record.ttl !== 0) return RCODE.FORMERR;
    const owner = lowerCase(record.owner);
    if (!isWithin(owner, zone)) return RCODE.NOTZONE;
    const { type, rdata } = record;
    if (record.class === CLASS.IN) found.push({ kind: "set-equals", owner, type, rdata });
    else if (record.class !== CLASS.ANY && record.class !== CLASS.NONE) return RCODE.FORMERR;
    else if (rdata.length > 0) return RCODE.FORMERR;
    else {
      const there = record.class === CLASS.ANY;
      if (type === TYPE.ANY) found.push({ kind: there ? "name-used" : "name-unused", owner });
      else found.push({ kind: there ? "set-there" : "set-not-there", owner, type });
    }
  }
  return found;
}

/** Section 3.4.1. A code is that of the first record that is wrong. */
export function readSteps(
  { authorities }: DecodedMessage,
  zone: DnsName,
): readonly UpdateStep[] | number {
  const found: UpdateStep[] = [];
  for (const record of authorities) {
    const owner = lowerCase(record.owner);
    if (!isWithin(owner, zone)) return RCODE.NOTZONE;
    const step = stepOf(record, owner);
    if (typeof step === "number") return step;
    found.push(step);
  }
  return found;
}

function stepOf(record: DnsRecord, owner: DnsName): UpdateStep | number {
  const { type, ttl, rdata } = record;
  switch (record.class) {
    case CLASS.IN:
      if (isMeta(type) || !isSoundRdata(type, rdata)) return RCODE.FORMERR;
      // RFC 2181 section 8: a TTL with its highest bit set counts as 0.
      return orRefused(type, { kind: "add", owner, type, ttl: ttl >= 2 ** 31 ? 0 : ttl, rdata });
    case CLASS.ANY:
      if (ttl !== 0 || rdata.length > 0) return RCODE.FORMERR;
      if (type === TYPE.ANY) return { kind: "delete-name", owner };
      return isMeta(type) ? RCODE.FORMERR : orRefused(type, { kind: "delete-set", owner, type });
    case CLASS.NONE:
      if (ttl !== 0 || isMeta(type)) return RCODE.FORMERR;
      return orRefused(type, { kind: "delete-record", owner, type, rdata });
    default:
      return RCODE.FORMERR;
  }
}

/** Types of questions and transactions, which are no data (RFC 6895 section 3.1). */
function isMeta(type: number): boolean {
  return type === 0 || type === TYPE.OPT || (type >= 128 && type <= 255);
}

/** What only a signer makes is not for updates. */
function orRefused(type: number, step: UpdateStep): UpdateStep | number {
  return isZoneType(type) ? step : RCODE.REFUSED;
}
