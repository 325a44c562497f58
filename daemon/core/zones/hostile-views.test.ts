/** What a hostile member may write about views: none of it is shown where it has no place. */
import { deepEqual, equal, ok } from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { siteIdOf, StaticSource } from "../../../test-mesh/dns/static-source.ts";
import { formatDnsName, parseDnsName } from "../../../protocol/dns/dns-name.ts";
import { TYPE } from "../../../protocol/dns/dns-type.ts";
import { formatRdata } from "../../../protocol/dns/rdata.ts";
import {
  makeZoneRecord,
  zoneRecordJson,
  zoneRecordKey,
} from "../../../protocol/dns/zone-record.ts";
import { ZONE_VIEWS, type ViewPlace } from "../../../protocol/dns/zone-view.ts";
import type { JsonValue } from "../../../protocol/encoding/json-value.ts";
import { buildZones } from "./zone-build.ts";
import { storedSets, type Zone } from "./zone.ts";

const ZONE = parseDnsName("mesh.example");
const WWW = parseDnsName("www", ZONE);
const SOA = ". host.mesh.example. 0 3600 300 1209600 60";
const PUBLIC: ViewPlace = { view: "public" };
const LAN: ViewPlace = { view: "lan" };
const HERE: ViewPlace = { view: "lan", site: siteIdOf("quimper") };
const AWAY: ViewPlace = { view: "lan", site: siteIdOf("brest") };

let source: StaticSource;

function put(place: ViewPlace, data: string, change: Record<string, JsonValue> = {}): void {
  const record = makeZoneRecord(ZONE, WWW, TYPE.A, 300, data, place);
  source.put("zone", zoneRecordKey(record), { ...zoneRecordJson(record), ...change });
}

function zones(): readonly Zone[] {
  return buildZones({
    view: source.view(),
    ownSite: source.siteId,
    sites: [],
    serialOffset: 0,
    othersHash: () => 0,
  });
}

/** Addresses that each view has. */
function shown(): string[] {
  const [zone] = zones();
  ok(zone !== undefined);
  return ZONE_VIEWS.map((view) =>
    [...storedSets({ soa: zone.soa, names: zone.names.values() }, view)]
      .filter(({ type }) => type === TYPE.A)
      .flatMap(({ owner, type, rdata }) =>
        rdata.map((each) => `${formatDnsName(owner)} ${formatRdata(type, each)}`),
      )
      .join(", "),
  );
}

beforeEach(() => {
  source = new StaticSource(["quimper", "brest"]);
  const soa = makeZoneRecord(ZONE, ZONE, TYPE.SOA, 3600, SOA);
  source.put("zone", zoneRecordKey(soa), { ...zoneRecordJson(soa) });
  put(PUBLIC, "192.0.2.1");
});

const WWW_PUBLIC = "www.mesh.example. 192.0.2.1";

describe("records of views from a hostile member", () => {
  it("are left out with a warning when the view is none, and stay in the state", () => {
    const views: JsonValue[] = ["moon", "", "Public", "lan ", 1, null, ["lan"], { view: "lan" }];
    for (const [index, view] of [...views, "__proto__", "x".repeat(5000)].entries()) {
      put(LAN, `10.0.0.${index}`, { view });
    }
    deepEqual(shown(), [WWW_PUBLIC, WWW_PUBLIC, WWW_PUBLIC]);
    equal(source.view().entries("zone", "mesh.example/www/").length, 11);
    ok(zones()[0]?.warnings.some((line) => line.includes("is ignored")));
  });

  it("do not move to a view that their key is not of", () => {
    put(LAN, "10.0.0.1", { view: "public" });
    put(LAN, "10.0.0.2", { view: "mesh" });
    put(HERE, "10.0.0.3", { site: siteIdOf("brest") });
    put(LAN, "10.0.0.4", { site: siteIdOf("quimper") });
    put(PUBLIC, "10.0.0.5", { site: siteIdOf("quimper") });
    put(PUBLIC, "10.0.0.6", { data: "10.0.0.7" });
    deepEqual(shown(), [WWW_PUBLIC, WWW_PUBLIC, WWW_PUBLIC]);
  });

  it("are no larger than others may be", () => {
    put(LAN, "10.0.0.1", { data: `10.0.0.1${" ".repeat(6000)}` });
    put(HERE, "10.0.0.2", { site: `${siteIdOf("quimper")}${"0".repeat(60_000)}` });
    deepEqual(shown(), [WWW_PUBLIC, WWW_PUBLIC, WWW_PUBLIC]);
  });

  it("of another site make neither a zone here nor an answer", () => {
    put(AWAY, "10.0.0.1");
    put(HERE, "10.0.0.2");
    deepEqual(shown(), [WWW_PUBLIC, WWW_PUBLIC, "www.mesh.example. 10.0.0.2"]);
    const other = parseDnsName("bank.example");
    const soa = makeZoneRecord(other, other, TYPE.SOA, 60, SOA, AWAY);
    source.put("zone", zoneRecordKey(soa), { ...zoneRecordJson(soa) });
    ok(zones().every(({ apex, soa: own }) => apex.length === ZONE.length || own.lan === undefined));
  });
});
