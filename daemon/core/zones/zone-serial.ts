/**
 * The serial number of a zone without a primary.
 *
 * A pure function of the state: nodes that hold the same statements and entries give the same
 * serial, without a clock. It counts, so every change raises it, a merge of two diverged states is
 * above both, and a statement that takes entries away weighs more than they did. The low bits are a
 * hash, so that two diverged states with equal counts most likely differ.
 *
 * All logs of the two classes that a zone is built from count, whatever zone an entry is about:
 * which one it was about cannot be told any more once the entry is pruned.
 *
 * Source: RFC 1982 for the arithmetic of those who compare serials.
 */
import { openForkProof } from "../../../protocol/statements/fork-proof-statement.ts";
import { sha256, type SiteId } from "../../../protocol/ids.ts";
import type { ClassName } from "../../../protocol/logs/record-class.ts";
import type { SerialStanding } from "../../../protocol/dns/zone-record.ts";
import { isUnknown, type SignedStatement } from "../../../protocol/statements/statement.ts";
import type { CountedLog } from "../logs/counted-log.ts";
import { entriesEver } from "../logs/lineage.ts";

export type CountedStatement = Pick<SignedStatement, "id" | "body">;

/** What the serials of all zones are made of. */
export interface Serials {
  /** {@link serialOffset} */
  readonly serialOffset: number;
  /** {@link othersHash} */
  readonly othersHash: (author: SiteId) => number;
}

/**
 * A hostile author cannot use up the numbers. A site that writes every minute comes to it after
 * four years; from then on its changes move the low bits only, until it gets a new key.
 */
const MAX_AUTHOR_COUNT = 2 ** 21;
/** More than the entries that a statement shows or hides soon count by themselves. */
const STATEMENT_COUNT = 2 ** 10;
/** An epoch never moves the count by a quarter of its range: that would look like going back. */
const MAX_ENDED_AUTHORS = 8;
const HASH_BITS = 6;
const SERIALS = 2 ** 32;
/** Counts that differ in the serial. */
const COUNTS = SERIALS / 2 ** HASH_BITS;

const COUNTED: ReadonlySet<ClassName> = new Set<ClassName>(["zone", "site"]);

/**
 * What the state adds to the base of each zone, 0 to 2^32 - 1.
 *
 * @param logs - All logs that count, in any order. Those of other classes are ignored.
 * @param statements - All statements, in any order, none twice.
 */
export function serialOffset(
  logs: readonly CountedLog[],
  statements: readonly CountedStatement[],
): number {
  const counted = logs.filter(isCounted);
  const count = countEntries(counted) + countStatements(statements);
  return (count % COUNTS) * 2 ** HASH_BITS + hashOf(counted, statements);
}

/** The hash of a state without the logs of one author: the same before and after it writes. */
export function othersHash(
  logs: readonly CountedLog[],
  statements: readonly CountedStatement[],
  author: SiteId,
): number {
  return hashOf(
    logs.filter((log) => isCounted(log) && log.author !== author),
    statements,
  );
}

function isCounted(log: CountedLog): boolean {
  return COUNTED.has(log.class) && log.seq > 0;
}

function hashOf(counted: readonly CountedLog[], statements: readonly CountedStatement[]): number {
  const words = [
    ...counted.map(({ log, seq, head }) => `${log} ${seq} ${head}`),
    ...statements.map(({ id }) => id),
  ].toSorted();
  const [low = 0] = sha256("pleach/zone-serial/1\0", words.join("\n"));
  return low % 2 ** HASH_BITS;
}

function countEntries(logs: readonly CountedLog[]): number {
  let sum = 0;
  for (const ofAuthor of Map.groupBy(logs, ({ author }) => author).values()) {
    const lineages = Map.groupBy(ofAuthor, (log) => `${log.class}/${log.part}`);
    const ever = [...lineages.values()].map((lineage) =>
      entriesEver(lineage.map(({ seq, takenUp, past }) => ({ seq, from: takenUp, past }))),
    );
    sum += Math.min(
      ever.reduce((a, b) => a + b, 0),
      MAX_AUTHOR_COUNT,
    );
  }
  return sum;
}

/** A statement outweighs the entries that it may take away, so the serial never goes back. */
function countStatements(statements: readonly CountedStatement[]): number {
  const forks = new Map<SiteId, number>();
  let sum = 0;
  for (const { body } of statements) {
    sum += STATEMENT_COUNT;
    if (isUnknown(body)) continue;
    if (body.kind === "EPOCH") {
      sum += Math.min(1 + body.revokes.length, MAX_ENDED_AUTHORS) * MAX_AUTHOR_COUNT;
    } else if (body.kind === "LEAVE" || (body.kind === "SITE" && body.release !== null)) {
      sum += MAX_AUTHOR_COUNT;
    } else if (body.kind === "FORK_PROOF") {
      const author = openForkProof(body)?.author;
      if (author !== undefined) forks.set(author, (forks.get(author) ?? 0) + 1);
    }
  }
  // With the eighth fork all other logs of an author end, so no further proof takes anything away.
  for (const proofs of forks.values())
    sum += Math.min(proofs, MAX_ENDED_AUTHORS) * MAX_AUTHOR_COUNT;
  return sum;
}

/** @param base - The serial field of the zone's own SOA record. */
export function zoneSerial(base: number, offset: number): number {
  return (base + offset) % SERIALS;
}

/** What is counted at an offset, modulo 2^26. */
export function countOf(offset: number): number {
  return Math.floor(offset / 2 ** HASH_BITS);
}

/**
 * The serial of a zone that was imported: the file's own in the state that the import left, and
 * counted from there on. States that lack some of what was counted then are below it.
 *
 * The hash of that state cannot stand in the record, which is part of it, so there the hash of what
 * the others wrote takes its place: it tells diverged states apart that have counted as much.
 *
 * @param serial - The serial field of the SOA record.
 * @param others - {@link othersHash} for the author of that record.
 */
export function standingSerial(
  serial: number,
  stands: SerialStanding,
  offset: number,
  others: number,
): number {
  const since = (countOf(offset) - stands.count + COUNTS) % COUNTS;
  const hash =
    since === 0
      ? (others - stands.others + 2 ** HASH_BITS) % 2 ** HASH_BITS
      : offset % 2 ** HASH_BITS;
  return (serial + since * 2 ** HASH_BITS + hash) % SERIALS;
}

/** Whether `later` comes after `earlier` (RFC 1982 section 3.2). */
export function isLaterSerial(later: number, earlier: number): boolean {
  const distance = (later - earlier + SERIALS) % SERIALS;
  return distance > 0 && distance < SERIALS / 2;
}
