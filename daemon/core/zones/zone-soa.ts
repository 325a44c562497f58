/**
 * The SOA record of a zone: which one counts, its serial, and what is put into it.
 *
 * A zone may have one for each view. Their serial is the same, so that no view is ahead of another.
 */
import { readDnsName, ROOT_NAME } from "../../../protocol/dns/dns-name.ts";
import { TYPE } from "../../../protocol/dns/dns-type.ts";
import type { SiteId } from "../../../protocol/ids.ts";
import { narrowness } from "./seen-at.ts";
import type { ZoneLine } from "./zone.ts";
import { baseOf, latestBase, serialFrom } from "./serial-base.ts";
import { zoneSerial, type Serials } from "./zone-serial.ts";

/**
 * The one by which the zone is served here: of the least specific view that has one. Undefined:
 * it is not.
 *
 * @param lines - Those of the apex.
 */
export function chosenSoa(lines: readonly ZoneLine[], ownSite: SiteId): ZoneLine | undefined {
  const soas = lines.filter(
    ({ type, site }) => type === TYPE.SOA && (site === undefined || site === ownSite),
  );
  return soas.toSorted((a, b) => narrowness(a) - narrowness(b))[0];
}

/** The latest of all SOA records, whoever sees them: the same on each node and in each view. */
export function serialOf(lines: readonly ZoneLine[], serials: Serials): number {
  const [first, ...others] = lines.flatMap((line) => {
    const { type, rivals = [], origin } = line;
    if (type !== TYPE.SOA || origin.kind !== "edit") return [];
    return [baseOf(line, origin.author), ...rivals];
  });
  if (first === undefined) return zoneSerial(0, serials.serialOffset);
  return serialFrom(latestBase([first, ...others], serials), serials);
}

/**
 * Puts in the serial, and the first name server of the view where the primary is left open.
 *
 * @param shown - What the view of the record shows at the apex.
 */
export function completeSoa(soa: ZoneLine, shown: readonly ZoneLine[], serial: number): ZoneLine {
  const [server] = shown
    .filter(({ type }) => type === TYPE.NS)
    .map(({ rdata }) => rdata)
    .toSorted((a, b) => Buffer.compare(a, b));
  const primary = readDnsName(soa.rdata, 0) ?? ROOT_NAME;
  const rest = soa.rdata.subarray(primary.length);
  const named = primary.length === 1 && server !== undefined ? server : primary;
  const full = Buffer.concat([named, rest]);
  full.writeUInt32BE(serial, full.length - 20);
  return { ...soa, rdata: Uint8Array.from(full) };
}
