/**
 * The file that carries decisions by e-mail or on a stick: a proposal that asks for signatures, or
 * the signatures that answer it.
 *
 * Both are a set of statements. A proposal comes with all statements that its maker knew, so that
 * whoever signs can judge it without a daemon and sees where the own chain ends; an answer has what
 * was signed. Nothing in a file is believed: each statement is checked like one from a peer.
 *
 * Text: a title, words for people, then base64 between two marks. Mail programs may wrap, indent or
 * quote the lines (`> `); a check tells damage from a file that is something else.
 */
import { z } from "zod";
import { decodeCbor, encodeCbor, type CborValue } from "../encoding/cbor.ts";
import { PleachError } from "../error.ts";
import { sha256, type MeshId, type StatementId } from "../ids.ts";
import {
  decodeStatement,
  encodeStatement,
  StatementError,
  type SignedStatement,
} from "./statement.ts";
import { bytesField, idField } from "../encoding/wire-field.ts";

const TITLE = "PLEACH DECISION 1";
const BEGIN = "-----BEGIN STATEMENTS-----";
const END = "-----END STATEMENTS-----";
const LINE_CHARACTERS = 72;
const CHECK_BYTES = 4;

/** Some 10,000 statements: decades of a small mesh. */
const MAX_BYTES = 8 * 1024 * 1024;
/** Base64 with line ends and quoting, and the words before it. */
export const MAX_DECISION_FILE_CHARACTERS = 2 * MAX_BYTES;
const MAX_STATEMENTS = 50_000;
const LARGEST_STATEMENT_BYTES = 128 * 1024;

export class DecisionFileError extends PleachError<
  | "E-DECISION-FILE" // it is no decision file, or not of this version
  | "E-DECISION-DAMAGED" // its check fails
> {}

const CONTENT = z.strictObject({
  v: z.literal(1),
  mesh: idField<MeshId>(),
  /** The EPOCH that asks for signatures; null in an answer. */
  asks: idField<StatementId>().nullable(),
  statements: z.array(bytesField(1, LARGEST_STATEMENT_BYTES)).min(1).max(MAX_STATEMENTS),
});

export interface DecisionFile {
  readonly mesh: MeshId;
  readonly asks: StatementId | null;
  readonly statements: readonly SignedStatement[];
}

/**
 * @param words - Lines for people, shown by any program that opens the file.
 * @throws RangeError for more than the file may hold.
 */
export function printDecisionFile(file: DecisionFile, words: readonly string[]): string {
  const content = { v: 1 as const, ...file, statements: file.statements.map(encodeStatement) };
  const body = encodeCbor(z.encode(CONTENT, content) as CborValue);
  if (body.length > MAX_BYTES) throw new RangeError(`decisions of ${body.length} bytes`);
  const text = Buffer.concat([body, check(body)]).toString("base64");
  const lines = text.match(new RegExp(`.{1,${LINE_CHARACTERS}}`, "g")) ?? [];
  return `${[TITLE, ...words, "", BEGIN, ...lines, END].join("\n")}\n`;
}

/** @throws DecisionFileError, also when a statement in it is not sound. */
export function parseDecisionFile(text: string): DecisionFile {
  const version = /^[>\s]*PLEACH DECISION (\d+)\s*$/m.exec(text.slice(0, 64 * 1024))?.[1];
  if (version === undefined || text.length > MAX_DECISION_FILE_CHARACTERS) {
    throw new DecisionFileError("E-DECISION-FILE", "This is not a decision file.", {
      hint: `Such a file has a line "${TITLE}"; pleach sign --out writes it.`,
    });
  }
  if (version !== "1") {
    throw new DecisionFileError("E-DECISION-FILE", "This file was made by a newer Pleach.", {
      hint: "Bring this machine to the version of the one that made it.",
    });
  }
  const bytes = unarmor(text);
  if (bytes === undefined) throw damaged();
  let content: z.output<typeof CONTENT> | undefined;
  try {
    content = CONTENT.safeParse(decodeCbor(bytes, MAX_BYTES)).data;
  } catch (cause) {
    throw damaged(cause);
  }
  if (content === undefined) throw damaged();
  const { mesh, asks, statements } = content;
  return { mesh, asks, statements: statements.map(readStatement) };
}

function readStatement(bytes: Uint8Array): SignedStatement {
  try {
    return decodeStatement(bytes);
  } catch (cause) {
    if (!(cause instanceof StatementError)) throw cause;
    throw new DecisionFileError("E-DECISION-FILE", `A statement in it is bad: ${cause.message}`, {
      hint: "Whoever made this file did not use Pleach. Ask them.",
      cause,
    });
  }
}

/** The checked bytes between the marks; undefined when they are damaged. */
function unarmor(text: string): Uint8Array | undefined {
  // The words before it may hold anything, also the mark.
  const from = text.lastIndexOf(BEGIN);
  const to = text.indexOf(END, from);
  if (from < 0 || to < 0) return undefined;
  const armored = text.slice(from + BEGIN.length, to).replaceAll(/[\s>]/g, "");
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(armored)) return undefined;
  const bytes = Uint8Array.from(Buffer.from(armored, "base64"));
  const body = bytes.subarray(0, -CHECK_BYTES);
  return Buffer.compare(check(body), bytes.subarray(-CHECK_BYTES)) === 0 ? body : undefined;
}

function damaged(cause?: unknown): DecisionFileError {
  return new DecisionFileError("E-DECISION-DAMAGED", "The file is damaged: its check fails.", {
    hint: "Have it sent again, as an attachment.",
    cause,
  });
}

function check(body: Uint8Array): Uint8Array {
  return sha256("pleach/decision-file/1\0", body).subarray(0, CHECK_BYTES);
}
