/**
 * The classes of replicated records: who writes them, and whose keys they share.
 *
 * A later version has more of them. What a known author wrote in a class that this version does
 * not know is checked, stored and passed on like all else, and shown by nobody here.
 */
import { z } from "zod";

declare const brand: unique symbol;

/** Written by each site about itself; the keys of two sites never meet. */
export const OWN_CLASSES = ["site", "offer", "place", "hold", "note"] as const;
/** Written by sites with a GRANT; one key space for all of them. */
export const SHARED_CLASSES = ["zone", "policy"] as const;
export const RECORD_CLASSES = [...OWN_CLASSES, ...SHARED_CLASSES] as const;

export type SharedClass = (typeof SHARED_CLASSES)[number];
export type RecordClass = (typeof RECORD_CLASSES)[number];
/** The name of a class that a later version knows. */
export type LaterClass = string & { readonly [brand]: "class" };
/** A class as entries and statements name it. */
export type ClassName = RecordClass | LaterClass;

/** The name of a class, known or not: 1 to 16 small letters. */
export const classNameField = z.custom<ClassName>(
  (value) => typeof value === "string" && /^[a-z]{1,16}$/.test(value),
  { error: "is no name of a class" },
);

/**
 * What digests are kept for: each class of version 1 of the exchange, and one group for all
 * classes that came later. So an older node and a newer one that hold the same say the same, and
 * invented names cost nobody anything. Never changes within that version.
 */
export const CLASS_GROUPS = [
  "site",
  "offer",
  "place",
  "hold",
  "note",
  "zone",
  "policy",
  "more",
] as const;
export type ClassGroup = (typeof CLASS_GROUPS)[number];

export function groupOf(name: ClassName): ClassGroup {
  return CLASS_GROUPS.find((group) => group === name) ?? "more";
}

export function isRecordClass(name: ClassName): name is RecordClass {
  return RECORD_CLASSES.some((known) => known === name);
}

export function isSharedClass(name: ClassName): name is SharedClass {
  return SHARED_CLASSES.some((known) => known === name);
}
