import { deepEqual, equal } from "node:assert/strict";
import { describe, it } from "node:test";
import { formatDnsName, nameKey, parseDnsName } from "../../protocol/dns/dns-name.ts";
import { formatType, parseType, TYPE } from "../../protocol/dns/dns-type.ts";
import { formatRcode } from "../../protocol/dns/dns-code.ts";
import { formatRdata, parseRdata } from "../../protocol/dns/rdata.ts";
import { ZONE_VIEWS, type ZoneView } from "../../protocol/dns/zone-view.ts";
import { idOf, sha256, type SiteId } from "../../protocol/ids.ts";
import { buildName } from "../core/zones/zone-name.ts";
import type { ZoneLine } from "../core/zones/zone.ts";
import { answerQuestion } from "./answer.ts";
import { ZoneTree, type ServedDelta } from "./zone-tree.ts";

const SITE = idOf<SiteId>(sha256("quimper"));
const SOA = "SOA . . 1 3600 300 1209600 60";

/** Lines of `view owner TYPE data`. */
function zone(apexText: string, ...texts: readonly string[]): ServedDelta {
  const apex = parseDnsName(apexText);
  const lines = texts.map((text): ZoneLine => {
    const [view = "", name = "", type = "", ...data] = text.split(" ");
    const code = parseType(type);
    return {
      owner: parseDnsName(name, apex),
      type: code,
      ttl: 300,
      rdata: parseRdata(code, data.join(" "), apex),
      view: view as ZoneView,
      origin: { kind: "default" },
    };
  });
  const names = Map.groupBy(lines, ({ owner }) => nameKey(owner));
  return {
    ...{ kind: "changed", apex, serial: 1, whole: true },
    names: [...names].map(([key, here]) => {
      const context = { ownSite: SITE, isApex: key === nameKey(apex) };
      return buildName(here[0]?.owner ?? apex, here, [], context);
    }),
  };
}

function treeOf(...zones: readonly ServedDelta[]): ZoneTree {
  const tree = new ZoneTree();
  tree.apply(zones);
  return tree;
}

/** What each view answers. */
function ask(tree: ZoneTree, name: string, type: number = TYPE.A): string[] {
  return ZONE_VIEWS.map((view) => {
    const { rcode, answer, authority } = answerQuestion(tree, parseDnsName(name), type, view);
    const sets = answer.length > 0 ? answer : authority;
    const said = sets.flatMap(({ owner, rrset }) =>
      rrset.type === TYPE.SOA
        ? ["denied"]
        : rrset.rdata.map((data) => {
            const text = formatRdata(rrset.type, data);
            return `${formatDnsName(owner)} ${formatType(rrset.type)} ${text}`;
          }),
    );
    return [formatRcode(rcode), ...said].join(" ");
  });
}

describe("views of one tree", () => {
  it("tell apart names that exist in one of them only, and what stands above these", () => {
    const tree = treeOf(
      zone("example.", `public @ ${SOA}`, "mesh a.deep A 10.0.0.1", "lan only A 10.0.0.2"),
    );
    const found = "NOERROR a.deep.example. A 10.0.0.1";
    deepEqual(ask(tree, "a.deep.example."), ["NXDOMAIN denied", found, found]);
    deepEqual(ask(tree, "deep.example."), ["NXDOMAIN denied", "NOERROR denied", "NOERROR denied"]);
    deepEqual(ask(tree, "only.example.")[1], "NXDOMAIN denied");
    deepEqual(ask(tree, "only.example.")[2], "NOERROR only.example. A 10.0.0.2");
  });

  it("answer by a wildcard where only one of them has it", () => {
    const tree = treeOf(
      zone("example.", `public @ ${SOA}`, "mesh *.w A 10.0.0.1", "public x.w A 192.0.2.1"),
    );
    const made = "NOERROR y.w.example. A 10.0.0.1";
    deepEqual(ask(tree, "y.w.example."), ["NXDOMAIN denied", made, made]);
    deepEqual(new Set(ask(tree, "x.w.example.")), new Set(["NOERROR x.w.example. A 192.0.2.1"]));
  });

  it("delegate where only one of them has a cut", () => {
    const tree = treeOf(
      zone("example.", `public @ ${SOA}`, "public a.sub A 192.0.2.1", "lan sub NS ns.elsewhere."),
    );
    const own = "NOERROR a.sub.example. A 192.0.2.1";
    deepEqual(ask(tree, "a.sub.example."), [own, own, "NOERROR sub.example. NS ns.elsewhere."]);
  });

  it("refuse a zone whose SOA they do not see, or answer from the one above", () => {
    const inner = zone("in.example.", `mesh @ ${SOA}`, "public x A 192.0.2.1");
    deepEqual(ask(treeOf(inner), "x.in.example.")[0], "REFUSED");
    const outer = zone("example.", `public @ ${SOA}`, "public *.in A 192.0.2.9");
    const tree = treeOf(inner, outer);
    const own = "NOERROR x.in.example. A 192.0.2.1";
    deepEqual(ask(tree, "x.in.example."), ["NOERROR x.in.example. A 192.0.2.9", own, own]);
    equal(ask(tree, "in.example.", TYPE.DS)[1], "NOERROR denied");
  });
});
