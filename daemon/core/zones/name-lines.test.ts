import { deepEqual } from "node:assert/strict";
import { describe, it } from "node:test";
import { formatRdata, parseRdata } from "../../../protocol/dns/rdata.ts";
import { parseDnsName } from "../../../protocol/dns/dns-name.ts";
import { parseType } from "../../../protocol/dns/dns-type.ts";
import type { ViewPlace, ZoneView } from "../../../protocol/dns/zone-view.ts";
import { hashId, type SiteId } from "../../../protocol/ids.ts";
import { linesAbout, linesShown, partlyHidden } from "./name-lines.ts";
import { buildName } from "./zone-name.ts";
import type { ZoneLine, ZoneName } from "./zone.ts";

const HERE = hashId<SiteId>("here");
const THERE = hashId<SiteId>("there");
const OWNER = parseDnsName("www.mesh.example");

/** Of `view TYPE data`, with `@here` or `@there` behind the view for one site. */
function name(...texts: readonly string[]): ZoneName {
  const lines = texts.map((text): ZoneLine => {
    const [place = "", type = "", ...data] = text.split(" ");
    const [view = "", site] = place.split("@");
    return {
      ...{ owner: OWNER, type: parseType(type), ttl: 300, view: view as ZoneView },
      rdata: parseRdata(parseType(type), data.join(" "), OWNER),
      origin: { kind: "default" },
      ...(site === undefined ? {} : { site: site === "here" ? HERE : THERE }),
    };
  });
  return buildName(OWNER, lines, [], { ownSite: HERE, isApex: false });
}

const text = ({ view, site, type, rdata }: ZoneLine): string =>
  `${view}${site === undefined ? "" : site === HERE ? "@here" : "@there"} ${formatRdata(type, rdata)}`;

const WWW = name(
  ...["public A 192.0.2.1", "public A 192.0.2.2", "public TXT t", "mesh A 10.0.0.1"],
  ...["lan A 10.0.0.1", "lan@here AAAA fd00::1", "lan@there A 192.168.1.1"],
);

describe("the records of a name", () => {
  it("are listed as a view shows them, each with the place that it is shown from", () => {
    const shown = (view: ZoneView) => linesShown(WWW, view, HERE).map(text).toSorted();
    deepEqual(shown("public"), ['public "t"', "public 192.0.2.1", "public 192.0.2.2"]);
    deepEqual(shown("mesh"), ["mesh 10.0.0.1", 'public "t"']);
    deepEqual(shown("lan"), ["lan 10.0.0.1", "lan@here fd00::1", 'public "t"']);
  });

  it("stand to a place as its own, shown from below, or above it", () => {
    const about = (place: ViewPlace) =>
      linesAbout(WWW, place).map(({ line, at }) => `${at} ${text(line)}`);
    deepEqual(about({ view: "mesh" }), [
      'below public "t"',
      "here mesh 10.0.0.1",
      "above lan 10.0.0.1",
      "above lan@here fd00::1",
      "above lan@there 192.168.1.1",
    ]);
    deepEqual(about({ view: "lan", site: HERE }), [
      'below public "t"',
      "below lan 10.0.0.1",
      "here lan@here fd00::1",
    ]);
  });

  it("are told where a view shows addresses of two views", () => {
    const told = (...texts: readonly string[]) => partlyHidden(name(...texts), HERE);
    deepEqual(told("public A 192.0.2.1", "public AAAA 2001:db8::1"), []);
    deepEqual(told("public A 192.0.2.1", "lan A 10.0.0.1", "public TXT t"), []);
    deepEqual(told("lan@there A 10.0.0.1", "public AAAA 2001:db8::1"), []);
    const said = (view: string) =>
      `In the view ${view}, www.mesh.example. has A of its own and AAAA of the view public: who asks for both gets both.`;
    const both = ["public AAAA 2001:db8::1", "public A 192.0.2.1"];
    deepEqual(told("lan A 10.0.0.1", ...both), [said("lan")]);
    deepEqual(told("mesh A 10.0.0.1", ...both), [said("mesh")]);
    deepEqual(told("mesh A 10.0.0.1", "lan AAAA fd00::1", ...both), [
      said("mesh"),
      "In the view lan, www.mesh.example. has AAAA of its own and A of the view mesh: who asks for both gets both.",
    ]);
  });

  it("are not told of services, which have in each view what is meant for it", () => {
    const { lines } = name("lan A 10.0.0.1", "public A 192.0.2.1", "public AAAA 2001:db8::1");
    const origin = { kind: "service", service: "www", site: HERE } as const;
    const derived = lines.map((line) => ({ ...line, origin }));
    const made = buildName(OWNER, [], derived, { ownSite: HERE, isApex: false });
    deepEqual(partlyHidden(made, HERE), []);
    const [beside] = name("public HTTPS 1 .").lines;
    const mixed = beside && buildName(OWNER, [beside], derived, { ownSite: HERE, isApex: false });
    deepEqual(mixed && partlyHidden(mixed, HERE).length, 1);
  });
});
