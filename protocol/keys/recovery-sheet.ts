/**
 * The recovery sheet: the one page of paper that brings an owner's data back.
 *
 * Plain text, so that it prints anywhere and can be typed in again by hand: 24 words, the mesh,
 * the addresses of some members. {@link parseRecoverySheet} takes what
 * {@link printRecoverySheet} made, and also a page typed from it: only the line with the mesh id,
 * the words and the addresses count, and white space and case do not.
 */
import { PleachError } from "../error.ts";
import { idBytes, parseId, sha256, toHex, type MeshId, type OwnerId } from "../ids.ts";
import { parsePhrase, phraseOf, PHRASE_WORDS } from "./recovery-phrase.ts";

/** First line of each sheet; the number is the version of this format. */
export const SHEET_TITLE = "PLEACH RECOVERY SHEET 1";

/** A sheet is about 2 kB; a longer file is something else. */
const MAX_SHEET_CHARACTERS = 64 * 1024;

/** More addresses than this are not tried by anybody. */
const MAX_MEMBERS = 32;

/** A word of the phrase may be "owner" or "mesh": only the colon makes it a heading. */
const HEADING = /^(?:mesh|owner|made on|words|members)\b.*:/i;
const ADDRESS = /^\/[a-z0-9]+\/\S+\/p2p\/\w+$/i;

export class SheetError extends PleachError<
  "E-SHEET-FORM" | "E-SHEET-MESH" | "E-SHEET-WORDS" | "E-SHEET-MEMBERS"
> {}

export interface SheetMember {
  /** Name of the site. */
  readonly site: string;
  /** Multiaddr that ends in `/p2p/PEERID`. */
  readonly address: string;
}

export interface RecoverySheet {
  readonly meshId: MeshId;
  readonly meshName: string;
  readonly ownerId: OwnerId;
  readonly ownerName: string;
  /** R; see owner-keys.ts. */
  readonly root: Uint8Array;
  readonly members: readonly SheetMember[];
  /** The day it was made, as people write it, for example `2031-04-01`. */
  readonly madeOn: string;
}

/** What a recovery needs of a sheet. */
export interface ParsedSheet {
  readonly meshId: MeshId;
  readonly root: Uint8Array;
  /** Multiaddrs, in the order of the sheet. */
  readonly addresses: readonly string[];
}

export function printRecoverySheet(sheet: RecoverySheet): string {
  const words = phraseOf(sheet.root).split(" ");
  const perLine = 4;
  const lines = Array.from({ length: PHRASE_WORDS / perLine }, (_, line) =>
    words
      .slice(line * perLine, (line + 1) * perLine)
      .map((word, i) => `${String(line * perLine + i + 1).padStart(4)} ${word.padEnd(10)}`)
      .join("")
      .trimEnd(),
  );
  return [
    SHEET_TITLE,
    "",
    `Mesh:     ${oneLine(sheet.meshName)}`,
    `Owner:    ${oneLine(sheet.ownerName)}`,
    `Owner id: ${sheet.ownerId}`,
    `Made on:  ${sheet.madeOn}`,
    "",
    "Whoever holds this page can read every backup of this owner. Print it, keep it",
    "in a safe place away from the server, and delete the file.",
    "",
    "Mesh id (the last four digits check the others):",
    ...meshIdLines(sheet.meshId),
    "",
    `Words (${PHRASE_WORDS}, in this order):`,
    ...lines,
    "",
    "Members (any one of them that still answers is enough):",
    ...sheet.members.slice(0, MAX_MEMBERS).flatMap((member) => {
      return [`  ${oneLine(member.site)}:`, `    ${oneLine(member.address)}`];
    }),
    "",
    "To bring the data back: on an empty machine install Pleach, copy this page to",
    "a file, and run:",
    "",
    "  pleach recover --sheet FILE --to DIRECTORY",
    "",
  ].join("\n");
}

/** Whether a text claims to be a sheet, so that a bad one is told apart from a bare phrase. */
export function looksLikeSheet(text: string): boolean {
  return text.slice(0, 4096).toUpperCase().includes("PLEACH RECOVERY SHEET");
}

/**
 * @throws SheetError which names the part that is missing or wrong.
 * @throws PhraseError when the words are there and wrong.
 */
export function parseRecoverySheet(text: string): ParsedSheet {
  if (text.length > MAX_SHEET_CHARACTERS || !looksLikeSheet(text)) {
    throw new SheetError("E-SHEET-FORM", "This is not a recovery sheet.", {
      hint: `The first line of a sheet is "${SHEET_TITLE}".`,
    });
  }
  if (!/PLEACH RECOVERY SHEET 1\b/i.test(text)) {
    throw new SheetError("E-SHEET-FORM", "The sheet is of a version that is not known here.", {
      hint: "Use the version of Pleach that made it, or a newer one.",
    });
  }
  const lines = text.split(/\r?\n/).map((line) => line.trim());
  return {
    meshId: parseMeshId(section(lines, /^mesh id\b.*?:/i, (text) => digitsIn(text).length >= 68)),
    root: parseSheetWords(section(lines, /^words\b.*?:/i, hasAllWords)),
    addresses: parseAddresses(lines),
  };
}

/**
 * The secret bytes from a file that holds a sheet or just the words.
 *
 * @throws SheetError or PhraseError as {@link parseRecoverySheet} and `parsePhrase` do.
 */
export function rootFromFile(text: string): Uint8Array {
  return looksLikeSheet(text) ? parseRecoverySheet(text).root : parsePhrase(text);
}

/**
 * The text from behind a heading to the next one. Empty lines in it do not matter; one behind all
 * that belongs to it ends it, so that a note below does no harm.
 */
function section(
  lines: readonly string[],
  heading: RegExp,
  isWhole: (text: string) => boolean,
): string {
  const start = lines.findIndex((line) => heading.test(line));
  const first = lines[start];
  if (first === undefined) return "";
  let text = first.replace(heading, "");
  for (const line of lines.slice(start + 1)) {
    if (HEADING.test(line) || ADDRESS.test(line) || (line === "" && isWhole(text))) break;
    text += ` ${line}`;
  }
  return text;
}

/** Eight groups of eight digits and a check group, because people type them. */
function meshIdLines(meshId: MeshId): readonly string[] {
  const groups = meshId.match(/.{8}/g) ?? [];
  return [
    `  ${groups.slice(0, 4).join(" ")}`,
    `  ${groups.slice(4).join(" ")} ${meshCheck(meshId)}`,
  ];
}

function meshCheck(meshId: MeshId): string {
  return toHex(sha256("pleach/sheet-mesh/1", idBytes(meshId))).slice(0, 4);
}

function parseMeshId(text: string): MeshId {
  const digits = digitsIn(text);
  const meshId = parseId<MeshId>(digits.slice(0, 64));
  if (meshId === undefined || digits.length !== 68) {
    throw new SheetError(
      "E-SHEET-MESH",
      `A mesh id has 64 digits 0-9 and a-f and 4 to check them, the sheet has ${digits.length}.`,
      { hint: 'Compare the lines below "Mesh id" with the paper.' },
    );
  }
  if (digits.slice(64) !== meshCheck(meshId)) {
    throw new SheetError("E-SHEET-MESH", "A digit of the mesh id is wrong: its check fails.", {
      hint: 'Compare the lines below "Mesh id" with the paper.',
    });
  }
  return meshId;
}

function digitsIn(text: string): string {
  return text.replaceAll(/\s/g, "").toLowerCase();
}

/** Words, not their numbers. */
function hasAllWords(text: string): boolean {
  return (text.match(/\p{L}+/gu)?.length ?? 0) >= PHRASE_WORDS;
}

function parseSheetWords(text: string): Uint8Array {
  if (text.trim() === "") {
    throw new SheetError("E-SHEET-WORDS", "The sheet has no words.", {
      hint: `They stand below a line "Words:", all ${PHRASE_WORDS} of them.`,
    });
  }
  return parsePhrase(text.replaceAll(/(?<=^|\s)\d{1,2}[.:)]?(?=\s)/g, " "));
}

function parseAddresses(lines: readonly string[]): readonly string[] {
  const addresses = lines.filter((line) => ADDRESS.test(line));
  if (addresses.length === 0 || addresses.length > MAX_MEMBERS) {
    throw new SheetError(
      "E-SHEET-MEMBERS",
      `The sheet has ${addresses.length} addresses of members; 1 to ${MAX_MEMBERS} are of use.`,
      {
        hint: "An address looks like /ip4/192.0.2.1/tcp/4001/p2p/12D3KooW…, on a line of its own.",
      },
    );
  }
  return addresses;
}

/** A name stays on its line, so that it cannot stand for another part of the sheet. */
function oneLine(text: string): string {
  return text.replaceAll(/[\s\p{Cc}]+/gu, " ").trim();
}
