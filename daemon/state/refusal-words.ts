/**
 * Why something of a peer was refused, in words for whoever reads the log of the daemon.
 */
import type { DocumentRefusal } from "../core/logs/log-document.ts";

/** Ends "an entry was refused: it ...". */
const UNFIT: Readonly<Record<DocumentRefusal, string>> = {
  decode: "is no Yjs update in the one encoding that is allowed",
  structs: "holds more items than an entry may",
  "foreign-client": "writes in the name of another log",
  clock: "does not go on where its log ends",
  content: "holds something that is no record",
  dependency: "builds on what its log does not hold",
  parent: "writes outside the records, or under a key that none can have",
  "foreign-delete": "deletes what another log wrote",
  "delete-unknown": "deletes something else than what it replaces",
  limit: "makes its log larger than a log may be",
};

const WORDS: Readonly<Record<string, string>> = {
  "E-ENVELOPE-SIZE": "is larger than an entry may be",
  "E-ENVELOPE-FORM": "is not written as an entry has to be",
  "E-ENVELOPE-PAYLOAD": "carries something else than what was signed",
  "E-ENVELOPE-SIGNATURE": "was not signed by its author",
  "E-STATEMENT-SIZE": "is larger than a statement may be",
  "E-STATEMENT-FORM": "is not written as a statement has to be",
  "E-STATEMENT-SIGNATURE": "was not signed by those who have to",
  "E-STATEMENT-KEY": "names a key that is none, or that anybody could sign for",
  "E-STATEMENT-MESH": "wraps something of another mesh",
  "E-STATE-MESH": "belongs to another mesh",
  "E-STATE-GENESIS": "founds another mesh",
  "E-STATE-CHAIN": "does not go on where the chain of its signer ends",
  "E-STATE-RIGHT": "lies beyond what counts: its author forked the log, or was revoked or replaced",
  "E-STATE-FORK": "stands where its author signed something else",
  "E-STATE-LIMIT": "is more than its author may write",
  "E-STATE-QUARANTINE": "was found unfit before",
};

export function unfitInWords(refusal: DocumentRefusal): string {
  return `it ${UNFIT[refusal]}`;
}

/** A code without words stays a code: better than silence. */
export function refusalInWords(code: string): string {
  const words = WORDS[code];
  return words === undefined ? code : `it ${words}`;
}
