/**
 * The serial number of a zone without a primary.
 *
 * A pure function of the state: nodes that hold the same statements and entries give the same
 * serial, without a clock. It counts, so every change raises it, a merge of two diverged states is
 * above both, and what is taken away by a revocation stays counted. The low bits are a hash, so
 * that two diverged states with equal counts most likely differ.
 *
 * All logs of the two classes that a zone is built from count, whatever zone an entry is about:
 * which one it was about cannot be told any more once the entry is pruned.
 *
 * Source: RFC 1982 for the arithmetic of those who compare serials.
 */
import { sha256, type EnvelopeId, type LogId, type StatementId } from "../../protocol/ids.ts";
import type { ClassName } from "../../protocol/record-class.ts";

/** One log, retired and cut ones too: counting less would move the serial backwards. */
export interface CountedLog {
  readonly class: ClassName;
  readonly log: LogId;
  /** The highest validly signed entry. */
  readonly seq: number;
  readonly head: EnvelopeId;
}

/** A hostile author cannot use up the numbers with one log. */
const MAX_LOG_COUNT = 2 ** 20;
/** A statement outweighs what the entries it takes away could have counted soon after. */
const STATEMENT_COUNT = 2 ** 10;
const HASH_BITS = 6;
const SERIALS = 2 ** 32;

const COUNTED: ReadonlySet<ClassName> = new Set<ClassName>(["zone", "site"]);

/**
 * What the state adds to the base of each zone, 0 to 2^32 - 1.
 *
 * @param logs - All logs ever seen, in any order. Those of other classes are ignored.
 * @param statements - All statements, in any order, none twice.
 */
export function serialOffset(
  logs: readonly CountedLog[],
  statements: readonly StatementId[],
): number {
  const counted = logs.filter((log) => COUNTED.has(log.class) && log.seq > 0);
  const entries = counted.reduce((sum, { seq }) => sum + Math.min(seq, MAX_LOG_COUNT), 0);
  const words = [
    ...counted.map(({ log, seq, head }) => `${log} ${seq} ${head}`),
    ...statements,
  ].toSorted();
  const [low = 0] = sha256("pleach/zone-serial/1\0", words.join("\n"));
  const count = entries + statements.length * STATEMENT_COUNT;
  return (count * 2 ** HASH_BITS + (low % 2 ** HASH_BITS)) % SERIALS;
}

/** @param base - The serial field of the zone's own SOA record. */
export function zoneSerial(base: number, offset: number): number {
  return (base + offset) % SERIALS;
}

/** Whether `later` comes after `earlier` (RFC 1982 section 3.2). */
export function isLaterSerial(later: number, earlier: number): boolean {
  const distance = (later - earlier + SERIALS) % SERIALS;
  return distance > 0 && distance < SERIALS / 2;
}
