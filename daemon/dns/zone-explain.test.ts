import { deepEqual, equal, match } from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { siteIdOf, StaticSource } from "../../test-mesh/dns/static-source.ts";
import { parseDnsName } from "../../protocol/dns/dns-name.ts";
import { TYPE } from "../../protocol/dns/dns-type.ts";
import { markKey, servicePolicyKey, verdictKey } from "../../protocol/dns/steering-record.ts";
import { makeZoneRecord, zoneRecordJson, zoneRecordKey } from "../../protocol/dns/zone-record.ts";
import type { ViewPlace, ZoneView } from "../../protocol/dns/zone-view.ts";
import { steeringOf } from "../core/zones/steering-state.ts";
import { buildZones } from "../core/zones/zone-build.ts";
import { explainName, type Explanation } from "./zone-explain.ts";
import { ZoneTree } from "./zone-tree.ts";

const ZONE = parseDnsName("mesh.example");
const [QUIMPER, BREST] = [siteIdOf("quimper"), siteIdOf("brest")];
const SITES = [
  { siteId: QUIMPER, name: "quimper" },
  { siteId: BREST, name: "brest" },
];

let source: StaticSource;

function put(name: string, type: number, data: string, place?: ViewPlace): void {
  const record = makeZoneRecord(ZONE, parseDnsName(name, ZONE), type, 300, data, place);
  source.put("zone", zoneRecordKey(record), { ...zoneRecordJson(record) });
}

function explain(name: string, view: ZoneView): Promise<Explanation> {
  const inventory = { view: source.view(), ownSite: QUIMPER, sites: SITES };
  const counts = { serialOffset: 0, othersHash: () => 0, steering: steeringOf(inventory) };
  const zones = buildZones({ ...inventory, ...counts });
  const tree = new ZoneTree(zones);
  return explainName({ served: () => zones, tree: () => tree }, name, "A", view, {
    ownSite: QUIMPER,
    view: () => source.view(),
    siteName: (id) => SITES.find(({ siteId }) => siteId === id)?.name,
    confirmedBy: () => undefined,
    writtenAtMs: (key) => Promise.resolve(key.includes("/www/") ? 1000 : null),
  });
}

beforeEach(() => {
  source = new StaticSource(["quimper", "brest"]);
  put("@", TYPE.SOA, ". host 0 3600 300 1209600 60");
});

describe("explain", () => {
  it("says what a view hides and shows beside, who wrote it, and what others get", async () => {
    put("www", TYPE.A, "192.0.2.1");
    put("www", TYPE.AAAA, "2001:db8::1");
    put("www", TYPE.A, "10.0.0.1", { view: "lan", site: QUIMPER });
    const found = await explain("www.mesh.example", "lan");
    deepEqual(found.why.slice(1), [
      "Less specific records are hidden here: A 192.0.2.1 (public).",
      "In the view lan, www.mesh.example. has A of its own and AAAA of the view public: who asks for both gets both.",
    ]);
    const [record] = found.records;
    deepEqual(
      [record?.data, record?.view, record?.viewSite, record?.site, record?.writtenAtMs],
      ["10.0.0.1", "lan", "quimper", "quimper", 1000],
    );
    deepEqual(found.others, [
      { view: "public", rcode: "NOERROR", answer: ["A 192.0.2.1"], same: false },
      { view: "mesh", rcode: "NOERROR", answer: ["A 192.0.2.1"], same: false },
    ]);
    const open = await explain("www.mesh.example", "public");
    equal(open.others[0]?.same, true);
    const nothing = await explain("none.mesh.example", "mesh");
    deepEqual([nothing.rcode, nothing.records[0]?.section], ["NXDOMAIN", "authority"]);
    const elsewhere = await explain("www.else.example", "mesh");
    deepEqual(
      [elsewhere.rcode, elsewhere.zone, elsewhere.why],
      ["REFUSED", null, ["No zone that the view mesh has holds www.else.example.: refused."]],
    );
  });

  it("says which marks, verdicts and policies have steered an answer", async () => {
    for (const [site, address] of [
      [QUIMPER, "192.0.2.1"],
      [BREST, "192.0.2.2"],
    ] as const) {
      const service = { name: "jitsi", addresses: [address], ports: [], maintainers: [] };
      source.put("site", "service/jitsi", service, site);
    }
    const steering = async (): Promise<readonly string[]> =>
      (await explain("jitsi.mesh.example", "public")).why.slice(1);
    deepEqual(await steering(), [
      "jitsi at quimper counts as up: nobody has said otherwise.",
      "jitsi at brest counts as up: nobody has said otherwise.",
    ]);
    source.put("policy", markKey("jitsi", BREST), { state: "down", text: 'the "barn"' });
    const verdict = { state: "down", sinceMs: 1_795_000_000_000, weight: 0 };
    source.put("note", verdictKey("jitsi"), verdict, QUIMPER);
    source.put("policy", servicePolicyKey("jitsi"), { whenDown: "none" });
    deepEqual(await steering(), [
      "jitsi at quimper is down: its site's checks say so since 2026-11-18 11:06 UTC, by that site's clock.",
      'jitsi at brest was marked down by a person at quimper ("the \\"barn\\"").',
      "jitsi is up at none of these sites, and its policy is to answer with none.",
    ]);
    const found = await explain("jitsi.mesh.example", "public");
    deepEqual([found.rcode, found.records[0]?.type], ["NOERROR", "SOA"]);
    source.put("note", verdictKey("jitsi"), { ...verdict, sinceMs: 8.64e15 }, QUIMPER);
    const [late] = await steering();
    match(late ?? "", /^jitsi at quimper is down/);
  });
});
