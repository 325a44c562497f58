/** A record of which several versions stand, in words. */
import type { ConflictInfo } from "../control/shapes-conflicts.ts";
import { table } from "./shell/output.ts";
import { formatTime } from "./shell/quantities.ts";

const VALUE_CHARACTERS = 40;

/**
 * @param next - The command that settles it.
 * @param label - What to call the record; default: its class and key.
 */
export function conflictText(
  { class: recordClass, key, versions }: ConflictInfo,
  next: string,
  label = `${recordClass} ${key}`,
): string {
  const rows = versions.map(({ id, site, writtenAtMs, deleted, value }, index) => [
    index === 0 ? (deleted ? "  deleted" : "  shown") : "",
    id.slice(0, 8),
    site,
    writtenAtMs === null ? "time not known" : formatTime(writtenAtMs),
    deleted ? "(deletes it)" : valueText(value),
  ]);
  return `${printable(label)}\n${table(rows)}\n  Keep one:  ${next}`;
}

/** What a member wrote must not reach the terminal as it is. */
function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, "?");
}

function valueText(value: unknown): string {
  const fields: { readonly ttl?: unknown; readonly data?: unknown } =
    typeof value === "object" && value !== null ? value : {};
  const text =
    typeof fields.data === "string"
      ? `${String(fields.ttl)} ${fields.data}`
      : JSON.stringify(value);
  const short = text.length > VALUE_CHARACTERS ? `${text.slice(0, VALUE_CHARACTERS - 3)}...` : text;
  return printable(short);
}
