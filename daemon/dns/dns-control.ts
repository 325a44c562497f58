/** What people ask of the DNS part: the zones served, edits, lists and explanations. */
import { formatDnsName, parseDnsName } from "../../protocol/dns/dns-name.ts";
import { formatType } from "../../protocol/dns/dns-type.ts";
import { formatRdata } from "../../protocol/dns/rdata.ts";
import type { SiteId } from "../../protocol/ids.ts";
import { zoneText } from "../../protocol/dns/zone-record.ts";
import type { ViewEntry } from "../core/logs/view.ts";
import { linesOf, type Zone } from "../core/zones/zone.ts";
import type { DnsServer } from "./dns-server.ts";
import { DnsError } from "./error.ts";
import type { ChangeJournal } from "./change-journal.ts";
import { ZoneBulk, type BulkRequest } from "./zone-bulk.ts";
import { ZoneEditor, type RecordEdit } from "./zone-editor.ts";
import { exportZone, explainName, listZone, type ReportPort } from "./zone-report.ts";
import { serialsOf, type ZoneSource } from "./zone-source.ts";
import type { ZoneChange } from "./update/updater.ts";

export interface DnsControlOptions {
  readonly server: DnsServer;
  readonly source: ZoneSource;
  /** Writes to the state. */
  readonly journal: ChangeJournal;
  readonly siteId: SiteId;
  /** The other sites that have confirmed an entry of this site. */
  readonly confirmedBy: (entry: ViewEntry) => readonly SiteId[];
}

/** Of a new zone, too. */
const SOA_TTL_SECONDS = 3600;

export class DnsControl {
  readonly #server: DnsServer;
  readonly #editor: ZoneEditor;
  readonly #bulk: ZoneBulk;
  readonly #journal: ChangeJournal;
  readonly #report: ReportPort;

  constructor({ server, source, journal, siteId, confirmedBy }: DnsControlOptions) {
    this.#server = server;
    this.#journal = journal;
    const ports = {
      view: () => source.view(),
      served: () => server.served(),
      reload: () => server.reload(),
    };
    this.#editor = new ZoneEditor({ ...ports, writer: journal });
    this.#bulk = new ZoneBulk({ ...ports, journal, siteId, serials: () => serialsOf(source) });
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
      listening: this.#server.listening.map(({ address, port }) => ({ address, port })),
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

  async edit(request: RecordEdit) {
    const [data, ...more] = request.data;
    const isSoa = request.action === "set" && request.type?.toUpperCase() === "SOA";
    if (!isSoa || data === undefined || more.length > 0) return this.#editor.edit(request);
    // Not as it is typed: the serial must not go back.
    const zone = this.#zone(request.name);
    const { name } = request;
    const ttl = request.ttl ?? zone.soa.public?.ttl;
    const put = { zone: zoneText(zone.apex), name, type: "SOA", ttl: ttl ?? SOA_TTL_SECONDS, data };
    const done = await this.#bulk.apply({ puts: [put], removes: [], last: true });
    const { written, removed, change } = done;
    return { zone: put.zone, serial: this.#zone(name).serial, written, removed, change };
  }

  async change(request: BulkRequest) {
    const { zones, ...done } = await this.#bulk.apply(request);
    return { ...done, zones: [...zones] };
  }

  async undo(id: string) {
    const { zones, ...done } = await this.#bulk.undo(id);
    return { ...done, zones: [...zones] };
  }

  changes() {
    return { changes: this.#journal.list().map((head) => ({ ...head, zones: [...head.zones] })) };
  }

  /** What stands in a zone, so many lines from one on: a part of a list that may be long. */
  lines(name: string, from: number, count: number) {
    const zone = this.#zone(name);
    const lines = linesOf(zone).drop(from).take(count);
    return {
      zone: zoneText(zone.apex),
      serial: zone.serial,
      total: zone.lineCount,
      lines: [...lines].map(({ owner, type, ttl, rdata, origin }) => ({
        name: formatDnsName(owner),
        type: formatType(type),
        ttl,
        data: formatRdata(type, rdata),
        written: origin.kind === "edit",
      })),
    };
  }

  /** The change that an update comes to. */
  update({ zone, puts, removed }: ZoneChange) {
    return this.#editor.change(zone, puts, removed);
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
    return { zone: zoneText(zone.apex), serial: zone.serial, text: exportZone(zone, "public") };
  }

  explain(name: string, type: string) {
    const { why, records, ...rest } = explainName(this.#server, name, type, "public", this.#report);
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
