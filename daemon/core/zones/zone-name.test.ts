import { deepEqual, equal, ok } from "node:assert/strict";
import { describe, it } from "node:test";
import { parseDnsName } from "../../../protocol/dns/dns-name.ts";
import { formatType, parseType } from "../../../protocol/dns/dns-type.ts";
import { formatRdata, parseRdata } from "../../../protocol/dns/rdata.ts";
import { ZONE_VIEWS, type ZoneView } from "../../../protocol/dns/zone-view.ts";
import { idOf, sha256, type SiteId } from "../../../protocol/ids.ts";
import type { ZoneLine, ZoneName } from "./zone.ts";
import { unsteered } from "./steering.ts";
import { buildName } from "./zone-name.ts";

const [HERE, THERE] = ["quimper", "brest"].map((name) => idOf<SiteId>(sha256(name))) as [
  SiteId,
  SiteId,
];
const owner = parseDnsName("www.mesh.example.");

/** `TYPE data`, with the view before it and a site behind it. */
function line(
  view: ZoneView,
  text: string,
  site?: SiteId,
  service?: string,
  at: SiteId = HERE,
): ZoneLine {
  const [type = "", ...data] = text.split(" ");
  const code = parseType(type);
  const origin =
    service === undefined
      ? ({ kind: "edit", key: "", author: HERE, lamport: 1 } as const)
      : ({ kind: "service", service, site: at } as const);
  const made = {
    owner,
    type: code,
    ttl: 300,
    rdata: parseRdata(code, data.join(" ")),
    view,
    origin,
  };
  return site === undefined ? made : { ...made, site };
}

const build = (written: readonly ZoneLine[], derived: readonly ZoneLine[] = []): ZoneName =>
  buildName(owner, written, derived, { ownSite: HERE, isApex: false });

function shown({ stored }: ZoneName): string[] {
  return ZONE_VIEWS.map((view) =>
    stored[view]
      .map(({ type, rdata }) => {
        const data = rdata.map((bytes) => formatRdata(type, bytes)).join(" ");
        return `${formatType(type)} ${data}`;
      })
      .toSorted()
      .join(", "),
  );
}

describe("what a name shows", () => {
  it("shows every view what is public, as one object", () => {
    const name = build([line("public", "A 192.0.2.1"), line("public", 'TXT "x"')]);
    equal(name.stored.public, name.stored.lan);
    deepEqual(name.existsIn, { public: true, mesh: true, lan: true });
  });

  it("lays the records of a more specific view over those of their type", () => {
    const name = build([
      line("public", "A 192.0.2.1"),
      line("public", "A 192.0.2.2"),
      line("public", 'TXT "all"'),
      line("mesh", "A 10.0.0.1"),
      line("lan", "AAAA fd00::1"),
    ]);
    deepEqual(shown(name), [
      'A 192.0.2.1 192.0.2.2, TXT "all"',
      'A 10.0.0.1, TXT "all"',
      'A 10.0.0.1, AAAA fd00::1, TXT "all"',
    ]);
  });

  it("does not exist where it has records for a more specific view only", () => {
    const name = build([line("mesh", "A 10.0.0.1")]);
    deepEqual(shown(name), ["", "A 10.0.0.1", "A 10.0.0.1"]);
    deepEqual(name.existsIn, { public: false, mesh: true, lan: true });
  });

  it("shows the LAN of a site what is for it alone, and lists it for all", () => {
    const lines = [line("lan", "A 192.168.1.2", THERE), line("lan", "A 192.168.1.1", HERE)];
    const name = build(lines);
    deepEqual(shown(name), ["", "", "A 192.168.1.1"]);
    equal(name.lines.length, 2);
    deepEqual(build([line("lan", "A 192.168.1.2", THERE)]).existsIn.lan, false);
    const narrower = build([line("lan", "A 10.8.0.5"), line("lan", "A 192.168.1.5", HERE)]);
    deepEqual(shown(narrower), ["", "", "A 192.168.1.5"]);
    const elsewhere = build([line("lan", "A 10.8.0.5"), line("lan", "A 192.168.1.5", THERE)]);
    deepEqual(shown(elsewhere), ["", "", "A 10.8.0.5"]);
    const alias = build([line("lan", "CNAME a."), line("lan", "CNAME b.", HERE)]);
    deepEqual(shown(alias), ["", "", "CNAME b."]);
    equal(alias.lines.length, 2);
  });

  it("settles an alias beside other data within each view", () => {
    const over = build([line("public", "CNAME a."), line("mesh", "A 10.0.0.1")]);
    deepEqual(shown(over), ["CNAME a.", "A 10.0.0.1", "A 10.0.0.1"]);
    deepEqual(over.warnings, []);
    equal(over.lines.length, 2);
    const under = build([line("public", "A 192.0.2.1"), line("mesh", "CNAME a.")]);
    deepEqual(shown(under), ["A 192.0.2.1", "A 192.0.2.1", "A 192.0.2.1"]);
    equal(under.lines.length, 1);
    ok(under.warnings[0]?.includes("CNAME of www.mesh.example. is left out"));
  });

  it("lets what people wrote win over the inventory, view by view", () => {
    const derived = [
      line("public", "A 192.0.2.1", undefined, "www"),
      line("mesh", "A 10.0.0.1", undefined, "www"),
    ];
    deepEqual(shown(build([], derived)), ["A 192.0.2.1", "A 10.0.0.1", "A 10.0.0.1"]);
    const all = build([line("public", "CNAME a.")], derived);
    deepEqual(shown(all), ["CNAME a.", "CNAME a.", "CNAME a."]);
    equal(all.lines.length, 1);
    ok(all.warnings[0]?.includes("was written by hand"));
    const mesh = build([line("mesh", "AAAA fd00::1")], derived);
    deepEqual(shown(mesh), ["A 192.0.2.1", "AAAA fd00::1", "AAAA fd00::1"]);
    equal(mesh.lines.length, 2);
  });
});

describe("steering", () => {
  const derived = [
    line("public", "A 192.0.2.1", undefined, "wiki", THERE),
    line("public", "A 192.0.2.2", undefined, "wiki", HERE),
  ];
  const steered = (down: readonly SiteId[]): ZoneName =>
    buildName(owner, [], derived, {
      ownSite: HERE,
      isApex: false,
      steering: {
        ...unsteered(HERE),
        isUp: (_, site) => !down.includes(site),
        whenDown: () => ({ kind: "none" }),
      },
    });
  const addresses = ({ served }: ZoneName) =>
    ZONE_VIEWS.map((view) =>
      served[view].flatMap(({ type, rdata }) => rdata.map((bytes) => formatRdata(type, bytes))),
    );

  it("changes what is served, and leaves what is stored and that the name exists", () => {
    const all = steered([]);
    for (const down of [[HERE], [THERE], [HERE, THERE]]) {
      const name = steered(down);
      deepEqual(name.stored, all.stored);
      deepEqual(name.existsIn, all.existsIn);
      equal(addresses(name)[0]?.length, 2 - down.length);
    }
  });

  it("puts the own site first in its LAN, whatever its address", () => {
    deepEqual(addresses(steered([])), [
      ["192.0.2.1", "192.0.2.2"],
      ["192.0.2.1", "192.0.2.2"],
      ["192.0.2.2", "192.0.2.1"],
    ]);
  });
});
