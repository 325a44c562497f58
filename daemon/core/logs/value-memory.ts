/**
 * What records take in memory, as far as their author decides it.
 *
 * A few bytes of an update can become many here: an empty map travels as two and takes sixty. So what
 * one author may fill is counted in these, not in what was sent. Measured on Node 24, as
 * decisions/0105 tells; rather too much than too little.
 */
import type { JsonValue } from "../../../protocol/encoding/json-value.ts";
import type { RecordVersion } from "../../../protocol/logs/record-version.ts";

/** A version in a document and in the view, without its key and value. */
const RECORD_BYTES = 384;
/** A version that it replaces: 64 characters. */
const NAME_BYTES = 96;
/** A number that is not small, and its place. */
const NUMBER_BYTES = 24;
/** The head of a text and its place. A character takes two bytes when one of them needs two. */
const TEXT_BYTES = 32;
const LIST_BYTES = 48;
/** Maps of different keys have a description each, which takes more than the map. */
const MAP_BYTES = 192;
/** A key of a map beside its text. */
const MAP_KEY_BYTES = 96;

/** What one record takes under its key. */
export function memoryOfRecord(key: string, { value, supersedes }: RecordVersion): number {
  const named = supersedes.length * NAME_BYTES;
  return RECORD_BYTES + textBytes(key) + named + (value === undefined ? 0 : memoryOfValue(value));
}

function memoryOfValue(value: JsonValue): number {
  if (typeof value === "string") return textBytes(value);
  if (typeof value !== "object" || value === null) return NUMBER_BYTES;
  if (Array.isArray(value)) {
    return value.reduce((sum: number, item) => sum + memoryOfValue(item), LIST_BYTES);
  }
  let sum = MAP_BYTES;
  for (const [key, item] of Object.entries(value)) {
    sum += MAP_KEY_BYTES + textBytes(key) + memoryOfValue(item);
  }
  return sum;
}

function textBytes(text: string): number {
  return TEXT_BYTES + 2 * text.length;
}
