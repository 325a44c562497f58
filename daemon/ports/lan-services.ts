/** What mDNS tells the LAN: the services of this site that have addresses there. */
import type { SiteId } from "../../protocol/ids.ts";
import { serviceRecord } from "../../protocol/logs/record.ts";
import type { View } from "../core/logs/view.ts";
import type { LocalService } from "../dns/mdns/service-records.ts";

/** A DNS label, since it becomes one; a record of an older program may hold another name. */
const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

export function lanServices(view: View, site: SiteId): readonly LocalService[] {
  return view.entries("site", "service/").flatMap(({ author, key, value }) => {
    const service = author === site ? serviceRecord.safeParse(value).data : undefined;
    if (service === undefined || key !== `service/${service.name}`) return [];
    const { name, lan = [], ports } = service;
    return lan.length === 0 || !LABEL.test(name) ? [] : { name, addresses: lan, ports };
  });
}
