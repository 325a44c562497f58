import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { siteIdOf, StaticSource } from "../../test-mesh/dns/static-source.ts";
import type { ViewPlace } from "../../protocol/dns/zone-view.ts";
import { linesOf, type Zone } from "../core/zones/zone.ts";
import { buildZones } from "../core/zones/zone-build.ts";
import { formatDnsName } from "../../protocol/dns/dns-name.ts";
import { formatType } from "../../protocol/dns/dns-type.ts";
import { formatRdata } from "../../protocol/dns/rdata.ts";
import { ZoneEditor, type RecordEdit } from "./zone-editor.ts";

const LAN: ViewPlace = { view: "lan" };
const MESH: ViewPlace = { view: "mesh" };
const HERE: ViewPlace = { view: "lan", site: siteIdOf("quimper") };
const AWAY: ViewPlace = { view: "lan", site: siteIdOf("brest") };

let source: StaticSource;
let editor: ZoneEditor;

function served(): readonly Zone[] {
  return buildZones({
    view: source.view(),
    ownSite: source.siteId,
    sites: [],
    serialOffset: (source.logHeads()[0]?.seq ?? 0) * 64,
    othersHash: () => 0,
  });
}

function listed(): string[] {
  return served()
    .flatMap((zone) => [...linesOf(zone)])
    .filter(({ type }) => formatType(type) !== "SOA")
    .map(({ owner, type, rdata, view, site }) => {
      const where = site === undefined ? view : site === HERE.site ? "here" : "away";
      return `${formatDnsName(owner)} ${formatType(type)} ${formatRdata(type, rdata)} ${where}`;
    })
    .toSorted();
}

const edit = (
  action: RecordEdit["action"],
  name: string,
  type: string | undefined,
  data: readonly string[],
  place?: ViewPlace,
) => editor.edit({ action, name, type, data, place });

beforeEach(async () => {
  source = new StaticSource(["quimper", "brest"]);
  const view = (): ReturnType<StaticSource["view"]> => source.view();
  editor = new ZoneEditor({ view, writer: source, served, reload: () => {} });
  await editor.addZone("mesh.example", undefined);
});

describe("editing a view", () => {
  it("touches the records of that view and site only", async () => {
    for (const [index, place] of [undefined, MESH, LAN, HERE, AWAY].entries()) {
      await edit("add", "www.mesh.example", "A", [`192.0.2.${index}`], place);
    }
    await edit("set", "www.mesh.example", "A", ["192.0.2.9"], MESH);
    await edit("remove", "www.mesh.example", undefined, [], LAN);
    await edit("remove", "www.mesh.example", "A", ["192.0.2.0"]);
    deepEqual(listed(), [
      "www.mesh.example. A 192.0.2.3 here",
      "www.mesh.example. A 192.0.2.4 away",
      "www.mesh.example. A 192.0.2.9 mesh",
    ]);
  });

  it("says where the record is that is to be removed", async () => {
    await edit("add", "www.mesh.example", "A", ["192.0.2.1"], LAN);
    await rejects(edit("remove", "www.mesh.example", "A", []), {
      code: "E-DNS-RECORD",
      message: "www.mesh.example. has no A record in the view public.",
      hint: "It has one in the view lan; give --view lan.",
    });
    await edit("add", "web.mesh.example", "A", ["192.0.2.2"], LAN);
    await edit("add", "web.mesh.example", "A", ["192.0.2.1"]);
    await rejects(edit("remove", "web.mesh.example", "A", [], MESH), {
      message: "web.mesh.example. has no A record in the view mesh.",
      hint: "It has one in the view public; give no --view.",
    });
  });

  it("keeps an alias alone in what each view shows", async () => {
    await edit("add", "www.mesh.example", "A", ["192.0.2.1"]);
    await rejects(edit("add", "www.mesh.example", "CNAME", ["a"], LAN), {
      code: "E-DNS-CONFLICT",
      message:
        "www.mesh.example. has a A record in the view public; a CNAME stands alone where a view shows both.",
      hint: "Remove it first:  pleach dns remove www.mesh.example. A",
    });
    // Addresses for some, and an alias for the rest: those see the addresses only.
    await edit("add", "cdn.mesh.example", "CNAME", ["a"]);
    await edit("add", "cdn.mesh.example", "A", ["192.0.2.2"], MESH);
    await edit("add", "only.mesh.example", "CNAME", ["a"], HERE);
    await edit("add", "only.mesh.example", "TXT", ["t"], AWAY);
    await rejects(edit("add", "only.mesh.example", "TXT", ["t"], LAN), {
      hint: `Remove it first:  pleach dns remove only.mesh.example. CNAME --view lan --site ${HERE.site}`,
    });
    deepEqual(
      listed().filter((line) => !line.startsWith("www")),
      [
        "cdn.mesh.example. A 192.0.2.2 mesh",
        "cdn.mesh.example. CNAME a.mesh.example. public",
        "only.mesh.example. CNAME a.mesh.example. here",
        'only.mesh.example. TXT "t" away',
      ],
    );
  });

  it("has zones that only some see, and writes below them what the others see elsewhere", async () => {
    await editor.addZone("inner.mesh.example", undefined, 7, MESH);
    await edit("add", "a.inner.mesh.example", "A", ["192.0.2.1"], MESH);
    await edit("add", "a.inner.mesh.example", "A", ["192.0.2.2"]);
    const places = source
      .view()
      .entries("zone")
      .map(({ key }) => key.split("/").slice(0, 3).join("/"));
    ok(places.includes("inner.mesh.example/a/A"));
    ok(places.includes("mesh.example/a.inner/A"));
    await editor.addZone("home.arpa", undefined, 0, LAN);
    await rejects(edit("add", "nas.home.arpa", "A", ["192.0.2.1"], MESH), {
      code: "E-DNS-ZONE",
      message: "The zone home.arpa is there in the view lan only, not in the view mesh.",
      hint: "Give --view lan, or show the zone to more:  pleach dns add-zone home.arpa --view mesh",
    });
    await rejects(editor.addZone("home.arpa", undefined, 0, HERE), { code: "E-DNS-ZONE" });
  });

  it("goes on with the serial of a zone that is shown to more", async () => {
    await editor.addZone("late.example", undefined, 2_026_112_201, LAN);
    const serial = (): number =>
      served().find(({ apex }) => formatDnsName(apex) === "late.example.")?.serial ?? 0;
    const before = serial();
    ok(before > 2_026_112_201);
    await rejects(editor.addZone("late.example", undefined, 9, MESH), {
      message: "The zone late.example has a serial already, in the view lan.",
    });
    for (const place of [MESH, undefined]) {
      const last = serial();
      await editor.addZone("late.example", undefined, 0, place);
      ok(serial() > last, `${serial()} after ${last}`);
    }
    await rejects(edit("remove", "late.example", "SOA", [], LAN), { code: "E-DNS-CONFLICT" });
    const removed = await editor.removeZone("late.example");
    equal(removed.removed, 3);
  });
});
