/**
 * What another server has answered to a question, and how old it may get.
 *
 * Kept for its question only, never for the names in it: nothing in an answer can change what a
 * later question for another name is answered.
 */
import { RCODE } from "../../../protocol/dns/dns-code.ts";
import { nameKey, type DnsName } from "../../../protocol/dns/dns-name.ts";
import { TYPE } from "../../../protocol/dns/dns-type.ts";
import type { RRset } from "../zones/zone.ts";

/** A question of class IN that is to be resolved. */
export interface Asked {
  readonly name: DnsName;
  readonly type: number;
  /** DO: records of DNSSEC are wanted (RFC 3225). */
  readonly dnssecOk: boolean;
  /** CD: the asker checks signatures by itself (RFC 4035 section 3.2.2). */
  readonly checkingDisabled: boolean;
}

export interface Resolution {
  /** 0 to 4095. */
  readonly rcode: number;
  /** Aliases in the order in which they lead on, then the records asked for. */
  readonly answers: readonly RRset[];
  /** The SOA record of a negative answer, and proofs where DNSSEC was asked for. */
  readonly authorities: readonly RRset[];
  /** AD, from an upstream that could not be forged. */
  readonly authenticated: boolean;
  /** RFC 8914: why it is as it is. */
  readonly error: number | undefined;
}

/** RFC 8767 section 4 allows a week; a wrong record of somebody is forgotten after a day. */
const MAX_KEPT_SECONDS = 86_400;
/** RFC 2308 section 5: "Values of one to three hours have been found to work well". */
const MAX_NEGATIVE_SECONDS = 3600;
/** Below this, a question that a page asks ten times would go out ten times. */
const MIN_KEPT_SECONDS = 5;
/** RFC 9520 section 3.2: at least 1 s, and 5 s until it is known to last. */
const FAILURE_SECONDS = 5;

/** The same text for the same question. Answers with and without proofs are different ones. */
export function askedKey({ name, type, dnssecOk, checkingDisabled }: Asked): string {
  return `${type}${dnssecOk ? "d" : ""}${checkingDisabled ? "c" : ""} ${nameKey(name)}`;
}

/** How long it answers its question: 5 s to a day, of negative ones at most an hour. */
export function keptSeconds({ rcode, answers, authorities }: Resolution, type: number): number {
  if (rcode !== RCODE.NOERROR && rcode !== RCODE.NXDOMAIN) return FAILURE_SECONDS;
  const isNegative = rcode === RCODE.NXDOMAIN || !answers.some((set) => isAskedType(set, type));
  const sets = isNegative ? [...answers, ...authorities] : answers;
  const hasSoa = authorities.some((set) => set.type === TYPE.SOA);
  // RFC 2308 section 5: without a SOA record negative answers "SHOULD NOT be cached".
  if (isNegative && !hasSoa) return MIN_KEPT_SECONDS;
  const most = isNegative ? MAX_NEGATIVE_SECONDS : MAX_KEPT_SECONDS;
  return Math.max(MIN_KEPT_SECONDS, Math.min(most, ...sets.map(({ ttl }) => ttl)));
}

function isAskedType(set: RRset, type: number): boolean {
  return type === TYPE.ANY || set.type === type;
}

/** The same some time later: each TTL is less by it, and never below 0. */
export function aged(resolution: Resolution, seconds: number): Resolution {
  return withTtls(resolution, (ttl) => Math.max(0, ttl - seconds));
}

/** RFC 8767 section 4 recommends 30 s for what has expired. */
const STALE_TTL_SECONDS = 30;
/** RFC 8914 section 4. */
const STALE_ERROR = { answer: 3, noName: 19 } as const;

/** An answer that has expired, as it is told when no other is to be had. */
export function stale(resolution: Resolution): Resolution {
  const error = resolution.rcode === RCODE.NXDOMAIN ? STALE_ERROR.noName : STALE_ERROR.answer;
  return { ...withTtls(resolution, () => STALE_TTL_SECONDS), error };
}

function withTtls(resolution: Resolution, change: (ttl: number) => number): Resolution {
  const sets = (all: readonly RRset[]): readonly RRset[] =>
    all.map((set) => ({ ...set, ttl: change(set.ttl) }));
  const { answers, authorities } = resolution;
  return { ...resolution, answers: sets(answers), authorities: sets(authorities) };
}

/** Nothing but a code. */
export function failure(rcode: number, error: number | undefined): Resolution {
  return { rcode, answers: [], authorities: [], authenticated: false, error };
}

/** What an entry of it takes in memory, in bytes: objects are counted by what V8 needs for them. */
export function sizeOf({ answers, authorities }: Resolution): number {
  let bytes = 400;
  for (const { owner, rdata } of [...answers, ...authorities]) {
    bytes += 250 + owner.length;
    for (const data of rdata) bytes += 150 + data.length;
  }
  return bytes;
}
