/** A zone of records as they are: every view shows all of them, and nothing is settled. */
import { nameKey, type DnsName } from "../../../protocol/dns/dns-name.ts";
import { TYPE } from "../../../protocol/dns/dns-type.ts";
import { inAllViews } from "../../../protocol/dns/zone-view.ts";
import { toHex } from "../../../protocol/ids.ts";
import type { RRset, Zone, ZoneLine, ZoneName } from "./zone.ts";

/** @param lines - Those of a name and type have one TTL; one of them is the SOA of the apex. */
export function plainZone(apex: DnsName, serial: number, lines: readonly ZoneLine[]): Zone {
  const names = new Map<string, ZoneName>();
  for (const [key, here] of Map.groupBy(lines, ({ owner }) => nameKey(owner))) {
    const sets = inAllViews([...Map.groupBy(here, ({ type }) => type).values()].flatMap(setOf));
    const owner = here[0]?.owner ?? apex;
    const shown = { stored: sets, served: sets, existsIn: inAllViews(true) };
    names.set(key, { owner, lines: here, ...shown, warnings: [] });
  }
  const soa = names.get(nameKey(apex))?.stored.public.find(({ type }) => type === TYPE.SOA);
  return {
    ...{ apex, serial, names },
    soa: inAllViews(soa),
    lineCount: lines.length,
    warnings: [],
  };
}

function setOf(lines: readonly ZoneLine[]): RRset[] {
  const [first] = lines;
  if (first === undefined) return [];
  const { owner, type, ttl } = first;
  const rdata = new Map(lines.map((line) => [toHex(line.rdata), line.rdata]));
  return [{ owner, type, ttl, rdata: [...rdata.values()] }];
}
