/**
 * The names under which the state lies in the store.
 *
 * Everything is kept as it came and checks itself when it is read again: the store may have lost
 * or damaged records without a word.
 */
import { MAX_SEQ } from "../../protocol/logs/envelope.ts";
import type { EnvelopeId, LogId, StatementId } from "../../protocol/ids.ts";
import { prefixRange } from "../core/store.ts";

/** Wide enough for any seq; zeros in front keep the order of numbers. */
const SEQ_DIGITS = String(MAX_SEQ).length;

/** Marks of entries that are being applied: one that ends the process must not do so for ever. */
export const MARKS = prefixRange("mark/");

/** The same of many entries that are applied one after another: their ids. */
export const GROUP_MARK = `${MARKS.from}group`;

export const STATEMENTS = prefixRange("statement/");
/** Statements that came here after a SUSPEND of their signer. */
export const PARKED = prefixRange("parked/");
export const ENTRIES = prefixRange("entry/");
/** Signed headers of snapshots, which stay when their payloads are pruned. */
export const HEADERS = prefixRange("header/");
/** Second copies of what lies elsewhere, under its key there. */
export const COPIES = prefixRange("copy/");
/** When snapshots came. */
export const RECEIVED = prefixRange("received/");
/** Up to where the logs of suspended sites are shown. */
export const FROZEN = prefixRange("frozen/");
export const QUARANTINE = prefixRange("quarantine/");

export function statementKey(id: StatementId): string {
  return `statement/${id}`;
}

export function copyKey(key: string): string {
  return COPIES.from + key;
}

export function parkedKey(id: StatementId): string {
  return `parked/${id}`;
}

export function entryKey(log: LogId, seq: number): string {
  return `entry/${place(log, seq)}`;
}

/** The entries of a log from one place on. */
export function entriesFrom(log: LogId, seq: number): { from: string; to: string } {
  return { from: entryKey(log, seq), to: prefixRange(`entry/${log}/`).to };
}

export function headerKey(log: LogId, seq: number): string {
  return `header/${place(log, seq)}`;
}

/** The headers of a log from one place on. */
export function headersFrom(log: LogId, seq: number): { from: string; to: string } {
  return { from: headerKey(log, seq), to: prefixRange(`header/${log}/`).to };
}

export function receivedKey(log: LogId, seq: number): string {
  return `received/${place(log, seq)}`;
}

export function frozenKey(log: LogId): string {
  return `frozen/${log}`;
}

export function markKey(id: EnvelopeId): string {
  return `mark/${id}`;
}

export function quarantineKey(id: EnvelopeId): string {
  return `quarantine/${id}`;
}

function place(log: LogId, seq: number): string {
  return `${log}/${String(seq).padStart(SEQ_DIGITS, "0")}`;
}
