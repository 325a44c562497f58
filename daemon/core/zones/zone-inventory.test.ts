import { deepEqual, equal, ok } from "node:assert/strict";
import { describe, it } from "node:test";
import { formatRelative, parseDnsName } from "../../../protocol/dns/dns-name.ts";
import { formatType } from "../../../protocol/dns/dns-type.ts";
import { formatRdata } from "../../../protocol/dns/rdata.ts";
import type { JsonValue } from "../../../protocol/encoding/json-value.ts";
import type { ZoneView } from "../../../protocol/dns/zone-view.ts";
import { hashId, type SiteId } from "../../../protocol/ids.ts";
import type { ServiceRecord } from "../../../protocol/logs/record.ts";
import { RecordView } from "../../../test-mesh/fakes/record-view.ts";
import type { ZoneLine } from "./zone.ts";
import { inventoryLines, linesOfService } from "./zone-inventory.ts";

const SITES = ["quimper", "brest", "vannes"].map((name) => ({
  siteId: hashId<SiteId>(name),
  name,
}));
const apex = parseDnsName("mesh.example.");

type Given = Partial<ServiceRecord>;

/** The lines that the node of a site makes of a service, by the names of the sites that run it. */
function lines(at: string, services: Readonly<Record<string, Given>>): readonly ZoneLine[] {
  const view = new RecordView();
  for (const [site, given] of Object.entries(services)) {
    const record = { name: "wiki", addresses: [], ports: [], maintainers: [], ...given };
    view.put(hashId<SiteId>(site), "site", "service/wiki", record as JsonValue);
  }
  return inventoryLines(apex, { view, sites: SITES, ownSite: hashId<SiteId>(at) });
}

function texts(all: readonly ZoneLine[], view: ZoneView): string[] {
  return all
    .filter((line) => line.view === view)
    .map(({ owner, type, rdata }) =>
      [formatRelative(owner, apex), formatType(type), formatRdata(type, rdata)].join(" "),
    )
    .toSorted();
}

const BOTH = {
  quimper: { addresses: ["192.0.2.1"], lan: ["192.168.1.1"] },
  brest: { addresses: ["192.0.2.2"], lan: ["192.168.1.1"] },
};

describe("addresses by view", () => {
  it("shows addresses of a LAN in the LAN of that site only, with all other sites", () => {
    for (const [at, other, address] of [
      ["quimper", "brest", "192.0.2.2"],
      ["brest", "quimper", "192.0.2.1"],
    ] as const) {
      const all = lines(at, BOTH);
      deepEqual(texts(all, "lan"), [
        `wiki A ${address}`,
        "wiki A 192.168.1.1",
        `wiki.${at} A 192.168.1.1`,
      ]);
      deepEqual(texts(all, "mesh"), []);
      ok(all.every(({ view, site }) => (site === undefined) === (view !== "lan")));
      equal(
        texts(all, "lan").some((text) => text.startsWith(`wiki.${other}`)),
        false,
      );
    }
    deepEqual(texts(lines("vannes", BOTH), "lan"), []);
  });

  it("shows addresses of the mesh in the mesh, and in LANs that have no nearer ones", () => {
    const all = lines("quimper", {
      quimper: { addresses: ["192.0.2.1"], mesh: ["100.64.0.1"], lan: ["192.168.1.1"] },
      brest: { mesh: ["100.64.0.2"] },
    });
    deepEqual(texts(all, "public"), ["wiki A 192.0.2.1", "wiki.quimper A 192.0.2.1"]);
    deepEqual(texts(all, "mesh"), [
      "wiki A 100.64.0.1",
      "wiki A 100.64.0.2",
      "wiki.brest A 100.64.0.2",
      "wiki.quimper A 100.64.0.1",
    ]);
    deepEqual(texts(all, "lan"), [
      "wiki A 100.64.0.2",
      "wiki A 192.168.1.1",
      "wiki.quimper A 192.168.1.1",
    ]);
  });

  it("chooses for each family by itself", () => {
    const all = lines("quimper", {
      quimper: { addresses: ["192.0.2.1", "2001:db8::1"], lan: ["192.168.1.1"] },
    });
    deepEqual(texts(all, "lan"), ["wiki A 192.168.1.1", "wiki.quimper A 192.168.1.1"]);
    ok(texts(all, "public").includes("wiki AAAA 2001:db8::1"));
  });

  it("says nothing twice", () => {
    const same = { addresses: ["192.0.2.1"], mesh: ["192.0.2.1"], lan: ["192.0.2.1"] };
    const all = lines("quimper", { quimper: same });
    equal(all.length, 2);
  });

  it("keeps a service that is known to one LAN away from all others", () => {
    const home = { quimper: { lan: ["192.168.1.1"] } };
    deepEqual(lines("brest", home), []);
    equal(texts(lines("quimper", home), "lan").length, 2);
  });
});

describe("ports by view", () => {
  const ports = [{ name: "https", port: 8443, transport: "tcp" as const }];

  it("prefers the own site in its LAN", () => {
    const all = lines("quimper", {
      quimper: { addresses: ["192.0.2.1"], ports },
      brest: { addresses: ["192.0.2.2"], ports },
    });
    deepEqual(
      texts(all, "lan"),
      [
        "_https._tcp.wiki SRV 0 0 8443 wiki.quimper.mesh.example.",
        "_https._tcp.wiki SRV 10 0 8443 wiki.brest.mesh.example.",
        "wiki HTTPS 1 wiki.quimper.mesh.example. port=8443",
        "wiki HTTPS 11 wiki.brest.mesh.example. port=8443",
      ].toSorted(),
    );
    equal(texts(all, "public").filter((text) => text.includes("SRV 0 0")).length, 4);
  });

  it("leads to sites that the view shows only", () => {
    const all = lines("vannes", {
      quimper: { mesh: ["100.64.0.1"], ports },
      brest: { addresses: ["192.0.2.2"], ports },
    });
    const srv = (view: ZoneView) =>
      texts(all, view).filter((text) => text.startsWith("_https._tcp.wiki SRV")).length;
    deepEqual([srv("public"), srv("mesh"), srv("lan")], [1, 2, 0]);
  });
});

describe("servers by view", () => {
  /** Quimper answers everybody, the mesh and its LAN at addresses of their own; Brest its LAN only. */
  const servers = (at: string): readonly ZoneLine[] => {
    const view = new RecordView();
    const place = (address: string, of?: ZoneView) => ({
      ...{ address, port: 53 },
      ...(of === undefined ? {} : { view: of }),
    });
    for (const [site, dns] of [
      ["quimper", [place("192.0.2.1"), place("100.64.0.1", "mesh"), place("192.168.1.1", "lan")]],
      ["brest", [place("192.168.1.2", "lan")]],
    ] as const) {
      view.put(hashId<SiteId>(site), "site", "node", {
        addresses: [],
        version: "1",
        dns: [...dns],
      });
    }
    return inventoryLines(apex, { view, sites: SITES, ownSite: hashId<SiteId>(at) });
  };

  it("tells addresses of a LAN to that LAN only, and the name servers of each view", () => {
    const all = servers("quimper");
    deepEqual(texts(all, "public"), [
      "@ NS quimper.node.mesh.example.",
      "quimper.node A 192.0.2.1",
    ]);
    deepEqual(texts(all, "mesh"), ["quimper.node A 100.64.0.1"]);
    deepEqual(texts(all, "lan"), ["quimper.node A 192.168.1.1"]);
  });

  it("names all servers that a LAN can ask", () => {
    deepEqual(texts(servers("brest"), "lan"), [
      "@ NS brest.node.mesh.example.",
      "@ NS quimper.node.mesh.example.",
      "brest.node A 192.168.1.2",
    ]);
  });
});

it("marks the names of one site, which steering leaves alone", () => {
  for (const { owner, origin } of lines("quimper", BOTH)) {
    ok(origin.kind === "service");
    equal(origin.atSite === true, formatRelative(owner, apex) !== "wiki");
  }
});

it("gives the lines of one service by themselves", () => {
  const view = new RecordView();
  for (const name of ["wiki", "wiki2"]) {
    const record = { name, addresses: ["192.0.2.1"], ports: [], maintainers: [] };
    view.put(hashId<SiteId>("quimper"), "site", `service/${name}`, record);
  }
  const state = { view, sites: SITES, ownSite: hashId<SiteId>("quimper") };
  deepEqual(texts(linesOfService(apex, state, "wiki"), "public"), [
    "wiki A 192.0.2.1",
    "wiki.quimper A 192.0.2.1",
  ]);
});
