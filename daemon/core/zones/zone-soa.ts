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
import { standingSerial, zoneSerial } from "./zone-serial.ts";

/** What the serials of all zones are made of. */
export interface SerialState {
  /** See zone-serial.ts. */
  readonly serialOffset: number;
  /** See zone-serial.ts. */
  readonly othersHash: (author: SiteId) => number;
}

/**
 * The one whose serial is that of the zone: of the least specific view that has one. Undefined:
 * the zone is not served here.
 *
 * @param lines - Those of the apex.
 */
export function chosenSoa(lines: readonly ZoneLine[], ownSite: SiteId): ZoneLine | undefined {
  const soas = lines.filter(
    ({ type, site }) => type === TYPE.SOA && (site === undefined || site === ownSite),
  );
  return soas.toSorted((a, b) => narrowness(a) - narrowness(b))[0];
}

export function serialOf({ rdata, stands, origin }: ZoneLine, serials: SerialState): number {
  const own = Buffer.from(rdata).readUInt32BE(rdata.length - 20);
  if (stands === undefined || origin.kind !== "edit") return zoneSerial(own, serials.serialOffset);
  return standingSerial(own, stands, serials.serialOffset, serials.othersHash(origin.author));
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
