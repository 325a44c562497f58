/**
 * What keeps zones and their serials whole while SOA records come and go: a zone may have one for
 * each view, and is there as long as there is one.
 */
import { parseDnsName } from "../../protocol/dns/dns-name.ts";
import type { ZoneRecord } from "../../protocol/dns/zone-record.ts";
import type { JsonValue } from "../../protocol/encoding/json-value.ts";
import type { View } from "../core/logs/view.ts";
import { settledSoa } from "../core/zones/serial-base.ts";
import type { Serials } from "../core/zones/zone-serial.ts";
import { DnsError } from "./error.ts";
import { soasOf } from "./stored-records.ts";

/** Of any view. */
export function isSoaKey(key: string): boolean {
  return /\/@\/SOA\/only[^/]*$/.test(key);
}

/**
 * The SOA records that have to take over the serial of those that are removed: one of each zone that
 * keeps another. Else the serial would go back to what that one counts from.
 */
export function basesKept(
  view: View,
  removed: readonly string[],
  serials: Serials,
): readonly ZoneRecord[] {
  const gone = new Set(removed);
  const zones = new Set(removed.filter(isSoaKey).map(zoneOf));
  return [...zones].flatMap((text) => {
    const [left] = soasOf(view, parseDnsName(text)).filter(({ key }) => !gone.has(key));
    return left === undefined ? [] : [settledSoa(left.record, view, serials)];
  });
}

/**
 * A zone that a change began must not vanish under records that came later.
 *
 * @param back - What the undoing of the change puts back: undefined for what it removes.
 * @throws DnsError (E-DNS-UNDO).
 */
export function refuseOrphans(
  view: View,
  id: string,
  back: readonly { readonly key: string; readonly before: JsonValue | undefined }[],
): void {
  const keys = new Set(back.filter(({ before }) => before === undefined).map(({ key }) => key));
  for (const text of new Set([...keys].filter(isSoaKey).map(zoneOf))) {
    if (soasOf(view, parseDnsName(text)).some(({ key }) => !keys.has(key))) continue;
    const later = view.entries("zone", `${text}/`).filter(({ key }) => !keys.has(key));
    if (later.length === 0) continue;
    throw changedSince(
      id,
      later.map(({ key }) => key),
    );
  }
}

function zoneOf(key: string): string {
  return key.split("/", 1)[0] ?? "";
}

export function changedSince(id: string, keys: readonly string[]): DnsError {
  const named = keys.slice(0, 5).map((key) => {
    const [zone = "", name = "", type = ""] = key.split("/");
    return `${name === "@" ? zone : `${name}.${zone}`} ${type}`;
  });
  const more = keys.length > named.length ? ` and ${keys.length - named.length} more` : "";
  return new DnsError(
    "E-DNS-UNDO",
    `The change ${id} cannot be undone: somebody has changed ${named.join(", ")}${more} since.`,
    { hint: "Undo the later change first, or set the records by hand. See:  pleach dns changes" },
  );
}
