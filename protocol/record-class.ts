/**
 * The classes of replicated records: who writes them, and whose keys they share.
 */

/** Written by each site about itself; the keys of two sites never meet. */
export const OWN_CLASSES = ["site", "offer", "place", "hold", "note"] as const;
/** Written by sites with a GRANT; one key space for all of them. */
export const SHARED_CLASSES = ["zone", "policy"] as const;
export const RECORD_CLASSES = [...OWN_CLASSES, ...SHARED_CLASSES] as const;

export type OwnClass = (typeof OWN_CLASSES)[number];
export type SharedClass = (typeof SHARED_CLASSES)[number];
export type RecordClass = (typeof RECORD_CLASSES)[number];

export function isSharedClass(recordClass: RecordClass): recordClass is SharedClass {
  return recordClass === "zone" || recordClass === "policy";
}
