/**
 * Zones for tests from lines of a zone file: `owner ttl IN type data`, one record a line, absolute
 * names. The serial is the one of the SOA record, as for a zone that was just imported.
 */
import { parseDnsName } from "../../protocol/dns/dns-name.ts";
import { parseType, TYPE } from "../../protocol/dns/dns-type.ts";
import { parseRdata } from "../../protocol/dns/rdata.ts";
import { plainZone } from "../../daemon/core/zones/plain-zone.ts";
import type { Zone, ZoneLine } from "../../daemon/core/zones/zone.ts";

export function zoneOfLines(text: string): Zone {
  const lines = text
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map(readLine);
  const soaLine = lines.find(({ type }) => type === TYPE.SOA);
  if (soaLine === undefined) throw new Error("a zone needs a SOA record");
  const serial = Buffer.from(soaLine.rdata).readUInt32BE(soaLine.rdata.length - 20);
  return plainZone(soaLine.owner, serial, lines);
}

function readLine(line: string): ZoneLine {
  const [owner = "", ttl = "", , typeName = ""] = line.trim().split(/\s+/);
  const data = /^\S+\s+\S+\s+\S+\s+\S+\s+(.*)$/.exec(line.trim())?.[1] ?? "";
  const type = parseType(typeName);
  return {
    owner: parseDnsName(owner),
    type,
    ttl: Number(ttl),
    rdata: parseRdata(type, data.trim()),
    view: "public",
    origin: { kind: "default" },
  };
}
