/** Which names can be a zone of a mesh. */
import type { DnsName } from "../../protocol/dns/dns-name.ts";
import { zoneText } from "../../protocol/dns/zone-record.ts";
import { DnsError } from "./error.ts";

/** @throws DnsError (E-DNS-ZONE). */
export function refuseUnfitZone(zone: DnsName): void {
  const text = zoneText(zone);
  if (zone.length === 1) throw new DnsError("E-DNS-ZONE", "The root is not a zone of a mesh.");
  if (text !== "local" && !text.endsWith(".local")) return;
  throw new DnsError("E-DNS-ZONE", `${text} belongs to multicast DNS (RFC 6762).`, {
    hint: "Take a subdomain of a domain of yours, or home.arpa.",
  });
}
