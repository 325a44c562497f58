import { deepEqual, equal, match, ok } from "node:assert/strict";
import { describe, it } from "node:test";
import { formatDnsName, parseDnsName } from "../../../protocol/dns/dns-name.ts";
import { formatType, parseType, TYPE } from "../../../protocol/dns/dns-type.ts";
import { idOf, sha256, type LogId, type SiteId, type VersionId } from "../../../protocol/ids.ts";
import type { JsonValue } from "../../../protocol/encoding/json-value.ts";
import type { RecordClass } from "../../../protocol/logs/record-class.ts";
import { formatRdata } from "../../../protocol/dns/rdata.ts";
import {
  makeZoneRecord,
  zoneRecordJson,
  zoneRecordKey,
} from "../../../protocol/dns/zone-record.ts";
import type { ZoneView } from "../../../protocol/dns/zone-view.ts";
import type { View, ViewEntry } from "../logs/view.ts";
import { buildZones } from "./zone-build.ts";
import { storedSets, type Zone } from "./zone.ts";

const SITES = ["quimper", "brest"].map((name) => ({
  siteId: idOf<SiteId>(sha256(name)),
  name,
}));
const [QUIMPER, BREST] = SITES.map(({ siteId }) => siteId) as [SiteId, SiteId];
const apex = parseDnsName("mesh.example.");

function entry(
  recordClass: RecordClass,
  key: string,
  value: JsonValue,
  author: SiteId,
  conflicts: ViewEntry["conflicts"] = [],
): ViewEntry {
  return {
    class: recordClass,
    key,
    author,
    value,
    lamport: 1,
    versionId: idOf<VersionId>(sha256(author, key, JSON.stringify(value))),
    log: idOf<LogId>(sha256(author).subarray(0, 16)),
    seq: 1,
    conflicts,
  };
}

function record(name: string, type: string, data: string, ttl = 300, author = QUIMPER): ViewEntry {
  const made = makeZoneRecord(apex, parseDnsName(name, apex), parseType(type), ttl, data);
  return entry("zone", zoneRecordKey(made), { ...zoneRecordJson(made) }, author);
}

const SOA = record("@", "SOA", ". hostmaster 1000 3600 300 1209600 60");

function node(site: SiteId, address: string): ViewEntry {
  const dns = [{ address, port: 53 }];
  return entry("site", "node", { addresses: [], version: "1", dns }, site);
}

function service(site: SiteId, name: string, address: string, zones?: string[]): ViewEntry {
  const value = { name, addresses: [address], ports: [], maintainers: [] };
  return entry("site", `service/${name}`, zones === undefined ? value : { ...value, zones }, site);
}

function viewOf(entries: readonly ViewEntry[]): View {
  const sorted = entries.toSorted((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
  return {
    entries: (recordClass, prefix = "") =>
      sorted.filter((each) => each.class === recordClass && each.key.startsWith(prefix)),
    get: (recordClass, key, author) =>
      entries.find(
        (each) =>
          each.class === recordClass &&
          each.key === key &&
          (author === undefined || each.author === author),
      ),
    conflicts: () => [],
    hash: "",
  };
}

function build(...entries: readonly ViewEntry[]): readonly Zone[] {
  return buildZones({
    view: viewOf(entries),
    ownSite: QUIMPER,
    sites: SITES,
    serialOffset: 64,
    othersHash: () => 0,
  });
}

function one(...entries: readonly ViewEntry[]): Zone {
  const [zone] = build(SOA, ...entries);
  ok(zone !== undefined);
  return zone;
}

/** `name TYPE ttl data, data` for each record set, the SOA left out. */
function sets(zone: Zone, view: ZoneView = "public"): string[] {
  return [...storedSets({ soa: zone.soa, names: zone.names.values() }, view)]
    .filter(({ type }) => type !== TYPE.SOA)
    .map(({ owner, type, ttl, rdata }) => {
      const data = rdata.map((bytes) => formatRdata(type, bytes)).join(", ");
      return `${formatDnsName(owner)} ${formatType(type)} ${ttl} ${data}`;
    })
    .toSorted();
}

describe("building zones", () => {
  it("serves a zone as soon as it has a SOA record, and not before", () => {
    deepEqual(build(record("www", "A", "192.0.2.1")), []);
    const zone = one(record("www", "A", "192.0.2.1"));
    deepEqual(sets(zone), ["www.mesh.example. A 300 192.0.2.1"]);
    equal(zone.serial, 1064);
  });

  it("names the first name server as primary where nobody is", () => {
    const zone = one(node(QUIMPER, "192.0.2.1"), node(BREST, "192.0.2.2"));
    const soa = formatRdata(TYPE.SOA, zone.soa.public?.rdata[0] ?? new Uint8Array());
    match(soa, /^brest\.node\.mesh\.example\. hostmaster\.mesh\.example\. 1064 /);
  });

  it("is the same whatever the order of sites and records", () => {
    const entries = [
      SOA,
      record("www", "A", "192.0.2.1"),
      record("www", "A", "192.0.2.2", 60, BREST),
      node(QUIMPER, "192.0.2.1"),
      node(BREST, "192.0.2.2"),
      service(QUIMPER, "wiki", "192.0.2.1"),
      service(BREST, "wiki", "192.0.2.2"),
    ];
    const forth = buildZones({
      view: viewOf(entries),
      ownSite: QUIMPER,
      sites: SITES,
      serialOffset: 0,
      othersHash: () => 0,
    });
    const back = buildZones({
      view: viewOf(entries.toReversed()),
      ownSite: QUIMPER,
      sites: SITES.toReversed(),
      serialOffset: 0,
      othersHash: () => 0,
    });
    deepEqual(
      forth.map((zone) => sets(zone)),
      back.map((zone) => sets(zone)),
    );
    deepEqual(
      forth.map(({ soa }) => soa),
      back.map(({ soa }) => soa),
    );
  });

  it("gives a record set its least TTL", () => {
    const zone = one(record("www", "A", "192.0.2.1", 300), record("www", "A", "192.0.2.2", 60));
    deepEqual(sets(zone), ["www.mesh.example. A 60 192.0.2.1, 192.0.2.2"]);
    ok(zone.warnings.some((warning) => warning.includes("different TTLs")));
  });

  it("leaves out a CNAME beside other data, and says so", () => {
    const zone = one(record("www", "CNAME", "a"), record("www", "A", "192.0.2.1", 300, BREST));
    deepEqual(sets(zone), ["www.mesh.example. A 300 192.0.2.1"]);
    ok(zone.warnings.some((warning) => warning.includes("CNAME of www.mesh.example. is left out")));
  });

  it("tells of two edits at once", () => {
    const cname = record("www", "CNAME", "a");
    const lost = { ...cname, author: BREST, value: null };
    const zone = one({ ...cname, conflicts: [lost] });
    ok(zone.warnings.some((warning) => warning.includes("changed at two sites at once")));
  });

  it("ignores records that a hacked site replicates, and serves the rest", () => {
    const good = record("www", "A", "192.0.2.1");
    const zone = one(
      good,
      entry("zone", "mesh.example/x/A/0", { ttl: 1, data: "no", view: "public" }, BREST),
      entry("zone", "mesh.example/www/A/0", { ttl: -1 }, BREST),
      entry("zone", "no such/name", "text", BREST),
      entry("site", "node", { addresses: 5 }, BREST),
      entry("site", "service/x", { name: "y" }, BREST),
    );
    deepEqual(sets(zone), ["www.mesh.example. A 300 192.0.2.1"]);
    equal(zone.warnings.filter((warning) => warning.includes("is ignored")).length, 2);
  });

  it("names services at all sites and at one, and servers", () => {
    const zone = one(
      node(QUIMPER, "192.0.2.1"),
      service(QUIMPER, "wiki", "192.0.2.1"),
      service(BREST, "wiki", "2001:db8::2"),
    );
    deepEqual(sets(zone), [
      "mesh.example. NS 300 quimper.node.mesh.example.",
      "quimper.node.mesh.example. A 300 192.0.2.1",
      "wiki.brest.mesh.example. AAAA 60 2001:db8::2",
      "wiki.mesh.example. A 60 192.0.2.1",
      "wiki.mesh.example. AAAA 60 2001:db8::2",
      "wiki.quimper.mesh.example. A 60 192.0.2.1",
    ]);
  });

  it("takes the addresses of a server from where it listens for links, too", () => {
    const addresses = ["/ip4/0.0.0.0/tcp/7411", "/ip4/198.51.100.7/tcp/7411", "/dns4/x/tcp/1"];
    const zone = one(entry("site", "node", { addresses, version: "1", dns: [] }, QUIMPER));
    deepEqual(sets(zone), ["quimper.node.mesh.example. A 300 198.51.100.7"]);
  });

  it("lets what people wrote win over the inventory", () => {
    const zone = one(
      service(QUIMPER, "wiki", "192.0.2.1"),
      record("wiki", "CNAME", "elsewhere.example.net."),
      record("@", "NS", "ns.example.net."),
      node(QUIMPER, "192.0.2.1"),
    );
    deepEqual(sets(zone), [
      "mesh.example. NS 300 ns.example.net.",
      "quimper.node.mesh.example. A 300 192.0.2.1",
      "wiki.mesh.example. CNAME 300 elsewhere.example.net.",
      "wiki.quimper.mesh.example. A 60 192.0.2.1",
    ]);
  });

  it("names a service only in the zones it wants", () => {
    deepEqual(sets(one(service(QUIMPER, "wiki", "192.0.2.1", ["other.example"]))), []);
    equal(sets(one(service(QUIMPER, "wiki", "192.0.2.1", ["Mesh.Example"]))).length, 2);
  });

  it("warns of records that no question reaches and of names for no host", () => {
    const { warnings } = one(
      record("sub", "NS", "ns.sub"),
      record("ns.sub", "A", "192.0.2.1"),
      record("x.sub", "TXT", "never"),
      record("under_score", "A", "192.0.2.1"),
    );
    ok(
      warnings.some((warning) => warning.startsWith("TXT of x.sub.mesh.example. is never served")),
    );
    ok(!warnings.some((warning) => warning.includes("ns.sub.mesh.example. is never served")));
    ok(
      warnings.some(
        (warning) => warning.includes("under_score") || warning.includes("under_score"),
      ),
    );
  });
});
