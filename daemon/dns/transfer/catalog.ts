/**
 * The catalog zone: the list of zones from which a secondary learns what to fetch.
 *
 * A pure function of the zones that are served. Its serial moves with theirs, so that nodes with
 * the same state give the same one.
 *
 * Source: RFC 9432.
 */
import { plainZone } from "../../core/zones/plain-zone.ts";
import type { RRset, Zone, ZoneLine } from "../../core/zones/zone.ts";
import { CLASS, RCODE } from "../../../protocol/dns/dns-code.ts";
import { decodeMessage, type MessageOutline } from "../../../protocol/dns/decode-message.ts";
import { encodeMessage } from "../../../protocol/dns/encode-message.ts";
import { bareAnswer } from "../bare-answer.ts";
import { parseDnsName, sameName, type DnsName } from "../../../protocol/dns/dns-name.ts";
import { TYPE } from "../../../protocol/dns/dns-type.ts";
import { parseRdata } from "../../../protocol/dns/rdata.ts";
import { zoneText } from "../../../protocol/dns/zone-record.ts";
import { sha256, toHex } from "../../../protocol/ids.ts";

/** RFC 9432 section 4.1: "the TTL [...] has no special meaning". */
const TTL_SECONDS = 0;
const MADE = { view: "public", origin: { kind: "default" } } as const;

/** @param serial - What the state adds to the serials of all zones. */
export function catalogZone(apex: DnsName, zones: readonly Zone[], serial: number): Zone {
  const line = (owner: DnsName, type: number, text: string): ZoneLine => ({
    owner,
    type,
    ttl: TTL_SECONDS,
    rdata: parseRdata(type, text, apex),
    ...MADE,
  });
  return plainZone(apex, serial, [
    line(apex, TYPE.SOA, `invalid. invalid. ${serial} 3600 300 1209600 0`),
    // Section 4.1: "an NS record with target 'invalid.'".
    line(apex, TYPE.NS, "invalid."),
    // Section 4.2.1.
    line(parseDnsName("version", apex), TYPE.TXT, '"2"'),
    ...zones.map((zone) => {
      const owner = parseDnsName(`${memberLabel(zone)}.zones`, apex);
      const rdata = Uint8Array.from(zone.apex);
      return { owner, type: TYPE.PTR, ttl: TTL_SECONDS, rdata, ...MADE };
    }),
  ]);
}

/**
 * What a secondary asks of the catalog beside the whole of it: its SOA, to compare serials. No
 * other question is of use to anybody, so each is answered with no data.
 */
export function catalogAnswer(
  apex: DnsName,
  catalogSoa: RRset,
  packet: Uint8Array,
  outline: MessageOutline,
): Uint8Array {
  const bare = bareAnswer(packet, outline, RCODE.NOERROR, true);
  const message = decodeMessage(bare);
  const [rdata] = catalogSoa.rdata;
  if ("fault" in message || rdata === undefined) return bare;
  const soa = { owner: apex, type: TYPE.SOA, class: CLASS.IN, ttl: TTL_SECONDS, rdata };
  const [question] = message.questions;
  const isSoa = question?.type === TYPE.SOA && sameName(question.name, apex);
  return (
    encodeMessage({ ...message, ...(isSoa ? { answers: [soa] } : { authorities: [soa] }) }) ?? bare
  );
}

/** Section 4.1: a unique label for each member; it stays for as long as the zone has its name. */
function memberLabel({ apex }: Zone): string {
  return toHex(sha256("pleach/catalog-member/1\0", zoneText(apex))).slice(0, 32);
}
