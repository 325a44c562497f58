/** What people ask of the DNS part: the zones served, edits, lists and explanations. */
import { formatDnsName, nameKey, parseDnsName } from "../../protocol/dns/dns-name.ts";
import { formatType, TYPE } from "../../protocol/dns/dns-type.ts";
import { formatRdata } from "../../protocol/dns/rdata.ts";
import type { SiteId } from "../../protocol/ids.ts";
import { formatIpPrefix, parseIpPrefix } from "../../protocol/ip-prefix.ts";
import {
  PUBLIC_PLACE,
  ZONE_VIEWS,
  type ViewPlace,
  type ZoneView,
} from "../../protocol/dns/zone-view.ts";
import { zoneText, type ZoneRecord } from "../../protocol/dns/zone-record.ts";
import type { ViewEntry } from "../core/logs/view.ts";
import { linesAbout, partlyHidden } from "../core/zones/name-lines.ts";
import { settledSoa } from "../core/zones/serial-base.ts";
import type { Zone } from "../core/zones/zone.ts";
import { addressBytes } from "./client.ts";
import type { DnsServer } from "./dns-server.ts";
import { DnsError } from "./error.ts";
import type { ChangeJournal } from "./change-journal.ts";
import { ZoneBulk, type BulkRequest } from "./zone-bulk.ts";
import { ZoneEditor, type RecordEdit } from "./zone-editor.ts";
import { formatListen } from "./listen.ts";
import { placeNamed, type NamedPlace } from "./view-place.ts";
import { ruleFor, viewOf } from "./view-rules.ts";
import { explainName, type ExplainPort } from "./zone-explain.ts";
import { exportZone, listZone } from "./zone-report.ts";
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
  /** When the author of an entry says to have written it; null when that is not kept any more. */
  readonly writtenAtMs: (entry: ViewEntry) => Promise<number | null>;
}

/** Of a new zone, too. */
const SOA_TTL_SECONDS = 3600;
/** Names with addresses of two views that a list tells of. */
const MAX_NOTES = 20;

/** As the control socket takes it: a place by its names. */
type Placed<Request> = Omit<Request, "place"> & NamedPlace;

export class DnsControl {
  readonly #server: DnsServer;
  readonly #editor: ZoneEditor;
  readonly #bulk: ZoneBulk;
  readonly #journal: ChangeJournal;
  readonly #source: ZoneSource;
  readonly #report: ExplainPort;

  constructor({ server, source, journal, siteId, confirmedBy, writtenAtMs }: DnsControlOptions) {
    this.#server = server;
    this.#source = source;
    this.#journal = journal;
    const ports = {
      view: () => source.view(),
      served: () => server.served(),
      reload: () => server.reload(),
    };
    this.#editor = new ZoneEditor({ ...ports, writer: journal });
    this.#bulk = new ZoneBulk({ ...ports, journal, siteId, serials: () => serialsOf(source) });
    this.#report = {
      ownSite: siteId,
      view: () => source.view(),
      writtenAtMs: async (key) => {
        const entry = source.view().get("zone", key);
        return entry === undefined ? null : writtenAtMs(entry);
      },
      siteName: (site) => source.authority().sites.get(site)?.name,
      confirmedBy: (key) => {
        const entry = source.view().get("zone", key);
        return entry === undefined || entry.author !== siteId ? undefined : confirmedBy(entry);
      },
    };
  }

  zones() {
    return {
      zones: this.#server.zones().map((zone) => ({
        ...zone,
        views: [...zone.views],
        warnings: [...zone.warnings],
      })),
      listening: this.#server.listening.map(({ address, port, view }) => ({
        ...{ address, port, view: viewOf(this.#server.views, view, addressBytes(address)) },
      })),
    };
  }

  async addZone({
    name,
    mailbox,
    serial,
    ...place
  }: {
    readonly name: string;
    readonly mailbox?: string | undefined;
    readonly serial?: number | undefined;
  } & NamedPlace) {
    const done = await this.#editor.addZone(name, mailbox, serial ?? 0, this.#place(place));
    return { ...done, notes: [] };
  }

  async removeZone(name: string) {
    return { ...(await this.#editor.removeZone(name)), notes: [] };
  }

  async edit({ view, site, ...request }: Placed<RecordEdit>) {
    const place = this.#place({ view, site });
    if (request.action === "remove" && request.type?.toUpperCase() === "SOA") {
      return this.#removeSoa(request.name, place);
    }
    const [data, ...more] = request.data;
    const isSoa = request.action === "set" && request.type?.toUpperCase() === "SOA";
    if (!isSoa || data === undefined || more.length > 0) {
      const done = await this.#editor.edit({ ...request, place });
      return { ...done, notes: this.#notesOn(done.zone, request.name) };
    }
    // Not as it is typed: the serial must not go back.
    const zone = this.#zone(request.name);
    const { name } = request;
    const ttl = request.ttl ?? zone.soa[place.view]?.ttl;
    const put = { zone: zoneText(zone.apex), name, type: "SOA", ttl: ttl ?? SOA_TTL_SECONDS, data };
    const done = await this.#bulk.apply({ place, puts: [put], removes: [], last: true });
    const { written, removed, change } = done;
    const { serial } = this.#zone(name);
    return { zone: put.zone, serial, written, removed, change, notes: [] };
  }

  async #removeSoa(name: string, place: ViewPlace) {
    const zone = this.#zone(name);
    const { written, removed, change } = await this.#bulk.removeSoa(zone.apex, place);
    const { serial } = this.#zone(name);
    return { zone: zoneText(zone.apex), serial, written, removed, change, notes: [] };
  }

  /** What a view shows of a name that was edited, where that may surprise. */
  #notesOn(zone: string, name: string): string[] {
    const key = nameKey(parseDnsName(name));
    const standing = this.#zone(zone).names.get(key);
    return standing === undefined ? [] : [...partlyHidden(standing, this.#report.ownSite)];
  }

  async change({ view, site, ...request }: Placed<BulkRequest>) {
    const place = this.#place({ view, site });
    const { zones, ...done } = await this.#bulk.apply({ ...request, place });
    return { ...done, zones: [...zones] };
  }

  async undo(id: string) {
    const { zones, ...done } = await this.#bulk.undo(id);
    return { ...done, zones: [...zones] };
  }

  changes() {
    return { changes: this.#journal.list().map((head) => ({ ...head, zones: [...head.zones] })) };
  }

  /** What has to do with a place in a zone, so many lines from one on: a part of a list that may be long. */
  lines(name: string, named: NamedPlace, from: number, count: number) {
    const zone = this.#zone(name);
    const place = this.#place(named);
    const lines = [...zone.names.values().flatMap((each) => linesAbout(each, place))];
    return {
      zone: zoneText(zone.apex),
      serial: zone.serial,
      total: lines.length,
      lines: lines.slice(from, from + count).map(({ line, at }) => ({
        name: formatDnsName(line.owner),
        type: formatType(line.type),
        ttl: line.ttl,
        data: formatRdata(line.type, line.rdata),
        written: line.origin.kind === "edit",
        at,
      })),
    };
  }

  /** The change that an update comes to. */
  update({ zone, puts, removed }: ZoneChange) {
    const settled = puts.map((put) => (put.type === TYPE.SOA ? this.#settled(put) : put));
    return this.#editor.change(zone, settled, removed);
  }

  #settled(soa: ZoneRecord): ZoneRecord {
    return settledSoa(soa, this.#source.view(), serialsOf(this.#source));
  }

  /** @param viewText - Lists what it shows; without it, the records of all views. */
  records(name: string, viewText: string | undefined) {
    const zone = this.#zone(name);
    const view = viewText === undefined ? undefined : this.#place({ view: viewText }).view;
    const records = listZone(zone, this.#report, view);
    const hidden = zone.names.values().flatMap((each) => partlyHidden(each, this.#report.ownSite));
    return {
      zone: zoneText(zone.apex),
      serial: zone.serial,
      records,
      warnings: [...zone.warnings, ...hidden.take(MAX_NOTES)],
    };
  }

  /** @throws DnsError (E-DNS-ZONE) also when the view has no such zone. */
  exportZone(name: string, viewText: string | undefined) {
    const zone = this.#zone(name);
    const { view } = this.#place({ view: viewText });
    const text = zoneText(zone.apex);
    if (zone.soa[view] === undefined) {
      const others = ZONE_VIEWS.filter((each) => zone.soa[each] !== undefined);
      throw new DnsError("E-DNS-ZONE", `The view ${view} has no zone "${text}".`, {
        hint: `It is there in ${others.join(" and ")}:  pleach dns export ${text} --view ${others[0]}`,
      });
    }
    return { zone: text, serial: zone.serial, text: exportZone(zone, view) };
  }

  /**
   * @param asker - A view, or an address whose view is looked up; without both, the public.
   * @throws DnsError (E-DNS-VIEW).
   */
  async explain(
    name: string,
    type: string,
    asker: { readonly view?: string | undefined; readonly from?: string | undefined },
  ) {
    const chosen = this.#viewFor(asker);
    const found = await explainName(this.#server, name, type, chosen.view, this.#report);
    const { why, records, others, ...rest } = found;
    return {
      ...rest,
      why: [...chosen.why, ...why],
      records: [...records],
      others: others.map((each) => ({ ...each, answer: [...each.answer] })),
      listening: this.#server.listening.map(({ address, port }) => ({ address, port })),
    };
  }

  #viewFor({
    view,
    from,
  }: {
    readonly view?: string | undefined;
    readonly from?: string | undefined;
  }): { readonly view: ZoneView; readonly why: readonly string[] } {
    if (view !== undefined) {
      return { view: this.#place({ view }).view, why: [`The view ${view} was asked for.`] };
    }
    if (from === undefined) {
      return { view: PUBLIC_PLACE.view, why: ["What the public sees; give --view or --from."] };
    }
    const parsed = parseIpPrefix(from);
    if (!("bits" in parsed) || from.includes("/")) {
      throw new DnsError("E-DNS-VIEW", `"${from}" is not an IP address.`, { exit: 2 });
    }
    const rule = ruleFor(this.#server.views, parsed.bytes);
    const seen = rule?.view ?? PUBLIC_PLACE.view;
    const own = this.#server.listening.filter((each) => each.view !== undefined);
    return {
      view: seen,
      why: [
        rule === undefined
          ? `${from} is in no network of [dns.views], so it sees the view ${seen}.`
          : `${from} is in ${formatIpPrefix(rule.prefix)}, so it sees the view ${seen}.`,
        ...own.map((each) => `At ${formatListen(each)} everybody sees the view ${each.view}.`),
      ],
    };
  }

  #place(named: NamedPlace): ViewPlace {
    return placeNamed(named, this.#source.authority().sites);
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
