import { deepEqual, equal, notEqual, ok } from "node:assert/strict";
import { describe, it } from "node:test";
import { formatDnsName, parseDnsName } from "../../../protocol/dns/dns-name.ts";
import { parseType } from "../../../protocol/dns/dns-type.ts";
import { formatRdata } from "../../../protocol/dns/rdata.ts";
import {
  markKey,
  servicePolicyKey,
  verdictKey,
  type ServicePolicyRecord,
  type ServiceState,
} from "../../../protocol/dns/steering-record.ts";
import {
  makeZoneRecord,
  zoneRecordJson,
  zoneRecordKey,
} from "../../../protocol/dns/zone-record.ts";
import type { ViewPlace, ZoneView } from "../../../protocol/dns/zone-view.ts";
import { hashId, type SiteId } from "../../../protocol/ids.ts";
import { RecordView } from "../../../test-mesh/fakes/record-view.ts";
import { leadsBack, steeringOf } from "./steering-state.ts";

const NAMES = ["quimper", "brest"];
const SITES = NAMES.map((name) => ({ siteId: hashId<SiteId>(name), name }));
const [QUIMPER, BREST] = SITES.map(({ siteId }) => siteId) as [SiteId, SiteId];
const apex = parseDnsName("mesh.example.");

class World {
  readonly view = new RecordView();

  mark(service: string, site: SiteId, state: string | undefined): this {
    this.view.put(
      BREST,
      "policy",
      markKey(service, site),
      state === undefined ? undefined : { state },
    );
    return this;
  }

  verdict(service: string, author: SiteId, state: ServiceState): this {
    this.view.put(author, "note", verdictKey(service), { state, sinceMs: 0, weight: 0 });
    return this;
  }

  policy(service: string, policy: ServicePolicyRecord): this {
    this.view.put(BREST, "policy", servicePolicyKey(service), policy);
    return this;
  }

  record(name: string, type: string, data: string, place?: ViewPlace): this {
    const owner = parseDnsName(name, apex);
    const made = makeZoneRecord(apex, owner, parseType(type), 300, data, place);
    this.view.put(BREST, "zone", zoneRecordKey(made), { ...zoneRecordJson(made) });
    return this;
  }

  zone(): this {
    return this.record("@", "SOA", ". hostmaster 0 3600 300 1209600 60");
  }

  service(site: SiteId, name: string, address: string): this {
    const record = { name, addresses: [address], ports: [], maintainers: [] };
    this.view.put(site, "site", `service/${name}`, record);
    return this;
  }

  steering(ownSite = QUIMPER) {
    return steeringOf({ view: this.view, sites: SITES, ownSite });
  }

  /** What is served under the fallback of the wiki. */
  here(view: ZoneView = "public"): string[] | undefined {
    const rule = this.steering().whenDown("wiki");
    ok(rule.kind === "fallback");
    return rule.here(view)?.map(({ type, rdata }) => formatRdata(type, rdata));
  }
}

function fallback(name: string): ServicePolicyRecord {
  return { whenDown: "fallback", name };
}

describe("what is up", () => {
  it("is everything before anything was said", () => {
    equal(new World().steering().isUp("wiki", QUIMPER), true);
    deepEqual(new World().steering().whenDown("wiki"), { kind: "all" });
  });

  it("a verdict counts for the site of its author", () => {
    const steering = new World().verdict("wiki", QUIMPER, "down").steering();
    deepEqual(
      [QUIMPER, BREST].map((site) => steering.isUp("wiki", site)),
      [false, true],
    );
    equal(steering.isUp("blog", QUIMPER), true);
  });

  it("a mark counts more than a verdict, both ways", () => {
    const world = new World().verdict("wiki", QUIMPER, "down").mark("wiki", QUIMPER, "up");
    equal(world.steering().isUp("wiki", QUIMPER), true);
    world.verdict("wiki", QUIMPER, "up").mark("wiki", QUIMPER, "down");
    equal(world.steering().isUp("wiki", QUIMPER), false);
    world.mark("wiki", QUIMPER, undefined);
    equal(world.steering().isUp("wiki", QUIMPER), true);
  });

  it("nobody says anything by a record of another form", () => {
    const world = new World().mark("wiki", QUIMPER, "broken");
    world.view.put(QUIMPER, "note", verdictKey("wiki"), "down");
    world.view.put(BREST, "policy", servicePolicyKey("wiki"), { whenDown: "explode" });
    equal(world.steering().isUp("wiki", QUIMPER), true);
    equal(world.steering().whenDown("wiki").kind, "all");
  });
});

describe("standing", () => {
  it("changes with what is said of the service, and with nothing else", () => {
    const world = new World().zone();
    const standing = () => world.steering().standing("wiki");
    const first = standing();
    world
      .mark("blog", QUIMPER, "down")
      .verdict("wiki", BREST, "up")
      .record("www", "A", "192.0.2.1");
    equal(standing(), first);
    for (const change of [
      () => world.mark("wiki", QUIMPER, "down"),
      () => world.verdict("wiki", BREST, "down"),
      () => world.policy("wiki", { whenDown: "none" }),
      () => world.policy("wiki", fallback("sorry.mesh.example")),
      () => world.record("sorry", "A", "192.0.2.9"),
    ]) {
      const before = standing();
      change();
      notEqual(standing(), before);
    }
  });
});

describe("a fallback", () => {
  it("is elsewhere when no zone here holds its name, or the zone hands the name on", () => {
    const world = new World().policy("wiki", fallback("status.example.net"));
    equal(world.here(), undefined);
    world.zone().policy("wiki", fallback("status.sub.mesh.example"));
    deepEqual(world.here(), []);
    world.record("sub", "NS", "ns.example.net.");
    equal(world.here(), undefined);
  });

  it("has what people wrote, by view and site", () => {
    const world = new World()
      .zone()
      .policy("wiki", fallback("sorry.mesh.example"))
      .record("sorry", "A", "192.0.2.9")
      .record("sorry", "A", "100.64.0.9", { view: "mesh" })
      .record("sorry", "A", "192.168.1.9", { view: "lan", site: QUIMPER })
      .record("sorry", "A", "192.168.2.9", { view: "lan", site: BREST })
      .record("sorry", "TXT", "hello");
    deepEqual(world.here("public"), ["192.0.2.9"]);
    deepEqual(world.here("mesh"), ["100.64.0.9"]);
    deepEqual(world.here("lan"), ["192.168.1.9"]);
  });

  it("in a zone that the public does not see is not told to it", () => {
    const world = new World()
      .record("@", "SOA", ". hostmaster 0 3600 300 1209600 60", { view: "mesh" })
      .record("sorry", "A", "10.0.0.9", { view: "mesh" })
      .policy("wiki", fallback("sorry.mesh.example"));
    deepEqual(
      [world.here("public"), world.here("mesh"), world.here("lan")],
      [[], ["10.0.0.9"], ["10.0.0.9"]],
    );
  });

  it("falls back on what the inventory says in views where nobody wrote anything", () => {
    const world = new World()
      .zone()
      .service(QUIMPER, "sorry", "192.0.2.1")
      .policy("wiki", fallback("sorry.mesh.example"))
      .record("sorry", "A", "192.168.1.9", { view: "lan" });
    deepEqual(world.here("public"), ["192.0.2.1"]);
    deepEqual(world.here("lan"), ["192.168.1.9"]);
  });

  it("may be another service, at the sites where that one is up", () => {
    const world = new World()
      .zone()
      .service(QUIMPER, "sorry", "192.0.2.1")
      .service(BREST, "sorry", "192.0.2.2")
      .policy("wiki", fallback("sorry.mesh.example"));
    deepEqual(world.here(), ["192.0.2.1", "192.0.2.2"]);
    deepEqual(world.mark("sorry", QUIMPER, "down").here(), ["192.0.2.2"]);
    deepEqual(world.mark("sorry", BREST, "down").here(), ["192.0.2.1", "192.0.2.2"]);
  });

  it("that comes back to its service is none, however long the way", () => {
    const world = new World().zone();
    const names = Array.from({ length: 50 }, (_, at) => `s${at}`);
    for (const [at, name] of names.entries()) {
      world.policy(name, fallback(`s${(at + 1) % names.length}.mesh.example`));
    }
    world.policy("wiki", fallback("s0.mesh.example"));
    ok(names.every((name) => leadsBack(world.view, name)));
    equal(leadsBack(world.view, "wiki"), false);
    equal(world.steering().whenDown("s7").kind, "all");
    const rule = world.steering().whenDown("wiki");
    equal(rule.kind === "fallback" && formatDnsName(rule.name), "s0.mesh.example.");
  });

  it("is not taken for the own name because of its first label", () => {
    const world = new World().zone().policy("wiki", fallback("wiki.example.net"));
    equal(leadsBack(world.view, "wiki"), false);
    equal(leadsBack(world.policy("wiki", fallback("wiki.mesh.example")).view, "wiki"), true);
  });
});
