import { deepEqual, equal, ok } from "node:assert/strict";
import { describe, it } from "node:test";
import { parseDnsName, type DnsName } from "../../../protocol/dns/dns-name.ts";
import { formatType, parseType, TYPE } from "../../../protocol/dns/dns-type.ts";
import { formatRdata, parseRdata } from "../../../protocol/dns/rdata.ts";
import { ZONE_VIEWS, type ZoneView } from "../../../protocol/dns/zone-view.ts";
import { idOf, sha256, type SiteId } from "../../../protocol/ids.ts";
import { steer, unsteered, type FallbackRecord, type Steering, type WhenDown } from "./steering.ts";
import type { RecordOrigin, ZoneLine } from "./zone.ts";

const [QUIMPER, BREST, VANNES] = ["quimper", "brest", "vannes"].map((name) =>
  idOf<SiteId>(sha256(name)),
) as [SiteId, SiteId, SiteId];
const WIKI = parseDnsName("wiki.mesh.example.");
const ELSEWHERE = parseDnsName("sorry.example.net.");

function line(site: SiteId, type: string, data: string, owner = WIKI): ZoneLine {
  const origin: RecordOrigin = { kind: "service", service: "wiki", site };
  const number = parseType(type);
  return { owner, type: number, ttl: 60, rdata: parseRdata(number, data), view: "public", origin };
}

const THREE = [
  line(QUIMPER, "A", "192.0.2.1"),
  line(BREST, "A", "192.0.2.2"),
  line(VANNES, "A", "192.0.2.3"),
];
const TEXT: ZoneLine = { ...line(QUIMPER, "TXT", '"by hand"'), origin: { kind: "default" } };

function without(down: readonly SiteId[], when: WhenDown = { kind: "all" }): Steering {
  return {
    ...unsteered(QUIMPER),
    isUp: (service, site) => service !== "wiki" || !down.includes(site),
    whenDown: () => when,
  };
}

function fallback(name: DnsName, here?: readonly FallbackRecord[]): WhenDown {
  return { kind: "fallback", name, here: () => here };
}

function texts(lines: readonly ZoneLine[]): string[] {
  return lines.map(({ type, rdata }) => `${formatType(type)} ${formatRdata(type, rdata)}`);
}

const ALL = [QUIMPER, BREST, VANNES];

describe("while a site is up", () => {
  it("answers with all sites that are", () => {
    for (const view of ZONE_VIEWS) {
      deepEqual(texts(steer(THREE, view, without([BREST]))), ["A 192.0.2.1", "A 192.0.2.3"]);
    }
  });

  it("returns what it was given when nothing changes", () => {
    equal(steer(THREE, "mesh", unsteered(VANNES)), THREE);
    equal(steer([TEXT], "lan", without(ALL)).length, 1);
  });

  it("puts the own site first on its own LAN only", () => {
    const own = { ...unsteered(VANNES) };
    deepEqual(texts(steer(THREE, "lan", own)), ["A 192.0.2.3", "A 192.0.2.1", "A 192.0.2.2"]);
    deepEqual(texts(steer(THREE, "public", own))[0], "A 192.0.2.1");
  });

  it("answers no address of a type that no healthy site has", () => {
    const lines = [line(QUIMPER, "A", "192.0.2.1"), line(BREST, "AAAA", "2001:db8::2")];
    deepEqual(texts(steer(lines, "public", without([BREST], { kind: "none" }))), ["A 192.0.2.1"]);
  });

  it("keeps records that are no service's, and names of one site", () => {
    const atSite: RecordOrigin = { kind: "service", service: "wiki", site: BREST, atSite: true };
    const lines = [TEXT, { ...line(BREST, "A", "192.0.2.2"), origin: atSite }];
    equal(steer(lines, "public", without(ALL, { kind: "none" })), lines);
  });
});

describe("when no site is up", () => {
  it("answers all of them, own first on the LAN, under the policy all", () => {
    equal(steer(THREE, "public", without(ALL)), THREE);
    const vannes = { ...without(ALL), ownSite: VANNES };
    deepEqual(texts(steer(THREE, "lan", vannes))[0], "A 192.0.2.3");
  });

  it("answers nothing of the service under none, and all the rest", () => {
    deepEqual(steer(THREE, "public", without(ALL, { kind: "none" })), []);
    deepEqual(steer([...THREE, TEXT], "public", without(ALL, { kind: "none" })), [TEXT]);
  });

  it("answers an alias under fallback", () => {
    const lines = [...THREE, line(BREST, "HTTPS", "1 . port=8443")];
    for (const here of [
      undefined,
      [{ type: TYPE.A, ttl: 60, rdata: Uint8Array.of(10, 0, 0, 1) }],
    ]) {
      const steered = steer(lines, "mesh", without(ALL, fallback(ELSEWHERE, here)));
      deepEqual(texts(steered), ["CNAME sorry.example.net."]);
      ok(steered.every(({ owner, ttl }) => owner === WIKI && ttl === 60));
    }
  });

  it("answers the fallback's addresses where an alias cannot stand, else all sites", () => {
    const address = { type: TYPE.A, ttl: 300, rdata: Uint8Array.of(192, 0, 2, 99) };
    const alias = { type: TYPE.CNAME, ttl: 300, rdata: ELSEWHERE };
    const answer = (here?: readonly FallbackRecord[]) =>
      texts(steer([...THREE, TEXT], "public", without(ALL, fallback(ELSEWHERE, here)))).slice(1);
    deepEqual(answer([address]), ["A 192.0.2.99"]);
    deepEqual(answer([alias]), texts(THREE));
    deepEqual(answer(), texts(THREE));
  });

  it("answers all sites when the fallback is not there, or is the name itself", () => {
    for (const when of [fallback(ELSEWHERE, []), fallback(parseDnsName("WIKI.mesh.example."))]) {
      equal(steer(THREE, "public", without(ALL, when)), THREE);
    }
  });

  it("leads to the same ports of the fallback", () => {
    const owner = parseDnsName("_https._tcp.wiki.mesh.example.");
    const lines = ["quimper", "brest"].map((name, at) =>
      line(
        [QUIMPER, BREST][at] ?? VANNES,
        "SRV",
        `${at * 10} 0 443 wiki.${name}.mesh.example.`,
        owner,
      ),
    );
    deepEqual(texts(steer(lines, "lan", without([QUIMPER]))), [
      "SRV 10 0 443 wiki.brest.mesh.example.",
    ]);
    deepEqual(texts(steer(lines, "lan", without(ALL, fallback(ELSEWHERE)))), [
      "SRV 0 0 443 sorry.example.net.",
    ]);
  });

  it("treats each of two services at one name by itself", () => {
    const blog: ZoneLine = {
      ...line(BREST, "A", "192.0.2.8"),
      origin: { kind: "service", service: "blog", site: BREST },
    };
    deepEqual(texts(steer([...THREE, blog], "public", without(ALL, fallback(ELSEWHERE)))), [
      ...texts(THREE),
      "A 192.0.2.8",
    ]);
  });
});

it("never shows a view anything that is not of this name", () => {
  const rules: readonly WhenDown[] = [{ kind: "all" }, { kind: "none" }, fallback(ELSEWHERE)];
  for (const view of ZONE_VIEWS satisfies readonly ZoneView[]) {
    for (const rule of rules) {
      for (let downs = 0; downs < 8; downs++) {
        const down = ALL.filter((_, at) => (downs & (1 << at)) !== 0);
        const steered = steer([...THREE, TEXT], view, without(down, rule));
        ok(steered.includes(TEXT));
        ok(steered.every(({ owner }) => owner === WIKI));
        equal(steered.length === 1, down.length === 3 && rule.kind === "none");
      }
    }
  }
});
