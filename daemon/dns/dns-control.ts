/** What people ask of the DNS part: the zones served, edits, lists and explanations. */
import { parseDnsName } from "../../protocol/dns/dns-name.ts";
import type { SiteId } from "../../protocol/ids.ts";
import { zoneText } from "../../protocol/dns/zone-record.ts";
import type { ViewEntry } from "../core/logs/view.ts";
import type { Zone } from "../core/zones/zone.ts";
import type { DnsServer } from "./dns-server.ts";
import { DnsError } from "./error.ts";
import { ZoneEditor, type RecordEdit, type ZoneWriter } from "./zone-editor.ts";
import { exportZone, explainName, listZone, type ReportPort } from "./zone-report.ts";
import type { ZoneSource } from "./zone-source.ts";

export interface DnsControlOptions {
  readonly server: DnsServer;
  readonly source: ZoneSource;
  readonly writer: ZoneWriter;
  readonly siteId: SiteId;
  /** The other sites that have confirmed an entry of this site. */
  readonly confirmedBy: (entry: ViewEntry) => readonly SiteId[];
}

export class DnsControl {
  readonly #server: DnsServer;
  readonly #editor: ZoneEditor;
  readonly #report: ReportPort;

  constructor({ server, source, writer, siteId, confirmedBy }: DnsControlOptions) {
    this.#server = server;
    this.#editor = new ZoneEditor({
      view: () => source.view(),
      writer,
      served: () => server.served(),
      reload: () => server.reload(),
    });
    this.#report = {
      siteName: (site) => source.authority().sites.get(site)?.name,
      confirmedBy: (key) => {
        const entry = source.view().get("zone", key);
        return entry === undefined || entry.author !== siteId ? undefined : confirmedBy(entry);
      },
    };
  }

  zones() {
    return {
      zones: this.#server.zones().map((zone) => ({ ...zone, warnings: [...zone.warnings] })),
    };
  }

  addZone({
    name,
    mailbox,
    serial,
  }: {
    readonly name: string;
    readonly mailbox?: string | undefined;
    readonly serial?: number | undefined;
  }) {
    return this.#editor.addZone(name, mailbox, serial ?? 0);
  }

  removeZone(name: string) {
    return this.#editor.removeZone(name);
  }

  edit(request: RecordEdit) {
    return this.#editor.edit(request);
  }

  records(name: string) {
    const zone = this.#zone(name);
    const records = listZone(zone, this.#report);
    return {
      zone: zoneText(zone.apex),
      serial: zone.serial,
      records,
      warnings: [...zone.warnings],
    };
  }

  exportZone(name: string) {
    const zone = this.#zone(name);
    return { zone: zoneText(zone.apex), serial: zone.serial, text: exportZone(zone) };
  }

  explain(name: string, type: string) {
    const { why, records, ...rest } = explainName(this.#server.tree(), name, type, this.#report);
    const listening = this.#server.listening.map(({ address, port }) => ({ address, port }));
    return { ...rest, why: [...why], records: [...records], listening };
  }

  #zone(name: string): Zone {
    const text = zoneText(parseDnsName(name));
    const zones = this.#server.served();
    const zone = zones.find(({ apex }) => zoneText(apex) === text);
    if (zone !== undefined) return zone;
    const known = zones.map(({ apex }) => zoneText(apex)).join(", ");
    throw new DnsError("E-DNS-ZONE", `There is no zone "${text}" in this mesh.`, {
      hint: known === "" ? "A new zone:  pleach dns add-zone NAME" : `Zones: ${known}.`,
    });
  }
}
