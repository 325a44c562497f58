/**
 * Replicated states that change at random: records of zones in all views, contradictions, records
 * that cannot be read, sites and services that come, go and are marked, zones that begin and end.
 */
import { parseDnsName } from "../../protocol/dns/dns-name.ts";
import { parseType } from "../../protocol/dns/dns-type.ts";
import { makeZoneRecord, zoneRecordJson, zoneRecordKey } from "../../protocol/dns/zone-record.ts";
import type { ViewPlace } from "../../protocol/dns/zone-view.ts";
import type { JsonValue } from "../../protocol/encoding/json-value.ts";
import { idOf, sha256, type LogId, type SiteId, type VersionId } from "../../protocol/ids.ts";
import type { RecordClass } from "../../protocol/logs/record-class.ts";
import type { View, ViewEntry } from "../../daemon/core/logs/view.ts";
import { steeringOf } from "../../daemon/core/zones/steering-state.ts";
import type { ZoneState } from "../../daemon/core/zones/zone-build.ts";
import type { SeededRandom } from "../fakes/seeded-random.ts";

/** One stands in the other, so a cut and a zone may be at one place. */
export const ZONES: readonly string[] = ["mesh.example", "sub.mesh.example", "other.example"];
/** Few, so that records meet; some stand below others. */
export const OWNERS: readonly string[] = ["a", "b.a", "*.a", "d.c.b.a", "c", "sub", "wiki", "x.c"];
const DATA: readonly (readonly [type: string, data: string])[] = [
  ["A", "192.0.2.1"],
  ["A", "192.0.2.2"],
  ["AAAA", "2001:db8::1"],
  ["TXT", '"text"'],
  ["CNAME", "a"],
  ["CNAME", "wiki"],
  ["NS", "ns.elsewhere.example."],
  ["NS", "c"],
  ["DNAME", "elsewhere.example."],
  ["MX", "10 a"],
];

export class RandomZoneState {
  readonly sites = ["quimper", "brest", "vannes"].map((name) => ({
    siteId: idOf<SiteId>(sha256(name)),
    name,
  }));
  readonly ownSite: SiteId;
  readonly #random: SeededRandom;
  readonly #entries = new Map<string, ViewEntry>();
  #members: number;
  #changes = 0;

  constructor(random: SeededRandom) {
    this.#random = random;
    this.ownSite = this.sites[0]?.siteId ?? idOf<SiteId>(sha256(""));
    this.#members = this.sites.length;
  }

  /** The state as a builder reads it. */
  get state(): ZoneState {
    const inventory = {
      view: this.#view(),
      ownSite: this.ownSite,
      sites: this.sites.slice(0, this.#members),
    };
    const othersHash = (): number => this.#changes % 64;
    const serialOffset = this.#changes * 64;
    return { ...inventory, serialOffset, othersHash, steering: steeringOf(inventory) };
  }

  /** Changes something, or several things at once. */
  change(): void {
    // Steering changes without a serial.
    if (this.#random.chance(0.15)) return this.#mark();
    this.#changes += 1;
    for (let left = 1 + this.#random.below(4); left > 0; left--) this.#changeOne();
  }

  #changeOne(): void {
    const random = this.#random;
    const dice = random.next();
    if (dice < 0.5) this.#putRecord();
    else if (dice < 0.7) this.#remove("zone");
    else if (dice < 0.76) this.#putSoa();
    else if (dice < 0.8) this.#remove("zone", "/SOA/");
    else if (dice < 0.84) this.#touch();
    else if (dice < 0.87)
      this.#put("zone", `${random.pick(ZONES)}/a/A/0`, { ttl: random.below(9) });
    else if (dice < 0.93) this.#putService();
    else if (dice < 0.96) this.#putNode();
    else if (dice < 0.98) this.#remove("site");
    else this.#members = 1 + random.below(this.sites.length);
  }

  #place(): ViewPlace {
    const dice = this.#random.below(8);
    if (dice < 4) return { view: "public" };
    if (dice < 6) return { view: "mesh" };
    return dice === 6 ? { view: "lan" } : { view: "lan", site: this.#site() };
  }

  #site(): SiteId {
    return this.#random.pick(this.sites).siteId;
  }

  #putRecord(): void {
    const apex = parseDnsName(this.#random.pick(ZONES));
    const [type, data] = this.#random.pick(DATA);
    const isApex = type !== "CNAME" && this.#random.chance(0.2);
    const owner = isApex ? apex : parseDnsName(this.#random.pick(OWNERS), apex);
    const ttl = this.#random.pick([60, 300]);
    const made = makeZoneRecord(apex, owner, parseType(type), ttl, data);
    const record = { ...made, ...this.#place() };
    this.#put("zone", zoneRecordKey(record), { ...zoneRecordJson(record) });
  }

  #putSoa(): void {
    const apex = parseDnsName(this.#random.pick(ZONES));
    const base = this.#random.below(1000);
    const primary = this.#random.pick([".", "ns.elsewhere.example."]);
    const data = `${primary} hostmaster ${base} 3600 300 1209600 60`;
    const made = makeZoneRecord(apex, apex, parseType("SOA"), 300, data);
    const place = this.#random.chance(0.6) ? {} : this.#place();
    const stands = this.#random.chance(0.3) ? { stands: { count: this.#changes, others: 3 } } : {};
    const record = { ...made, ...place, ...stands };
    this.#put("zone", zoneRecordKey(record), { ...zoneRecordJson(record) });
  }

  #putService(): void {
    const name = this.#random.pick(["wiki", "a", "jitsi"]);
    const value = {
      ...{ name, addresses: [`198.51.100.${this.#random.below(9)}`], maintainers: [] },
      ports: this.#random.chance(0.5) ? [] : [{ name: "https", port: 8443, transport: "tcp" }],
      ...(this.#random.chance(0.3) ? { lan: ["192.168.1.7"] } : {}),
      ...(this.#random.chance(0.3) ? { mesh: ["10.9.0.7"] } : {}),
      ...(this.#random.chance(0.2) ? { zones: [this.#random.pick(ZONES)] } : {}),
    };
    this.#put("site", `service/${name}`, value, this.#site());
  }

  #putNode(): void {
    const address = `203.0.113.${this.#random.below(9)}`;
    const dns = this.#random.chance(0.7) ? [{ address, port: 53 }] : [];
    const addresses = [`/ip4/${address}/tcp/7411`];
    this.#put("site", "node", { addresses, version: "1", dns }, this.#site());
  }

  #mark(): void {
    const key = `mark/${this.#random.pick(["wiki", "jitsi"])}/${this.#site()}`;
    if (this.#random.chance(0.4)) this.#remove("policy");
    else if (this.#random.chance(0.7)) {
      this.#put("policy", key, { state: this.#random.pick(["up", "down"]) });
    } else {
      const fallback = { whenDown: "fallback", name: `a.${this.#random.pick(ZONES)}` };
      const policy = this.#random.pick([{ whenDown: "all" }, { whenDown: "none" }, fallback]);
      this.#put("policy", `service/${this.#random.pick(["wiki", "jitsi"])}`, policy);
    }
  }

  /** A record that stays what it is: another version stands beside it, or it was merged again. */
  #touch(): void {
    const [name, entry] = this.#any("zone") ?? [];
    if (name === undefined || entry === undefined) return;
    const { author, versionId, log, seq } = entry;
    const lost = { author, value: null, versionId, log, seq };
    this.#entries.set(name, { ...entry, conflicts: this.#random.chance(0.5) ? [lost] : [] });
  }

  #put(recordClass: RecordClass, key: string, value: JsonValue, author = this.#site()): void {
    const name = `${recordClass} ${key} ${recordClass === "site" ? author : ""}`;
    this.#entries.set(name, {
      ...{ class: recordClass, key, author, value, lamport: this.#changes },
      versionId: idOf<VersionId>(sha256(author, key, JSON.stringify([value, this.#changes]))),
      log: idOf<LogId>(sha256(author).subarray(0, 16)),
      seq: this.#changes,
      conflicts: [],
    });
  }

  #remove(recordClass: RecordClass, part = ""): void {
    const [name] = this.#any(recordClass, part) ?? [];
    if (name !== undefined) this.#entries.delete(name);
  }

  #any(recordClass: RecordClass, part = ""): readonly [string, ViewEntry] | undefined {
    const fit = [...this.#entries].filter(
      ([, entry]) => entry.class === recordClass && entry.key.includes(part),
    );
    return fit.length === 0 ? undefined : this.#random.pick(fit);
  }

  #view(): View {
    const sorted = [...this.#entries.values()].toSorted((a, b) =>
      a.key === b.key ? (a.author < b.author ? -1 : 1) : a.key < b.key ? -1 : 1,
    );
    const entries = (recordClass: RecordClass, prefix = ""): readonly ViewEntry[] =>
      sorted.filter((each) => each.class === recordClass && each.key.startsWith(prefix));
    return {
      entries,
      get: (recordClass, key, author) =>
        entries(recordClass, key).find(
          (each) => each.key === key && (author === undefined || each.author === author),
        ),
      conflicts: () => [],
      hash: "",
    };
  }
}
