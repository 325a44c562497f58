import { deepEqual } from "node:assert/strict";
import { it } from "node:test";
import { zoneOfText } from "../../daemon/cli/dns/read-zone.ts";
import { parseDnsName } from "../../protocol/dns/dns-name.ts";
import { planWaves } from "./vector-waves.ts";

const test = (apex: string, lines = "", question = `a.${apex}`) => ({
  apex,
  question: parseDnsName(question),
  zone: zoneOfText(
    {
      name: apex,
      bytes: Buffer.from(`$TTL 5\n@ SOA ns.far. host.far. 1 1 1 1 1\n@ NS ns.far.\n${lines}\n`),
    },
    parseDnsName(apex),
  ),
});

const waves = (...tests: readonly ReturnType<typeof test>[]): string[][] =>
  planWaves(tests).map((wave) => wave.map(({ apex }) => apex));

it("serves zones at once that have nothing to do with one another", () => {
  deepEqual(waves(test("a.x."), test("b.x."), test("c.")), [["a.x.", "b.x.", "c."]]);
});

it("keeps apart what is one name, or below the other", () => {
  deepEqual(waves(test("a."), test("a.")), [["a."], ["a."]]);
  deepEqual(waves(test("a."), test("b.a.")), [["a."], ["b.a."]]);
  deepEqual(waves(test("b.a."), test("a.")), [["b.a."], ["a."]]);
});

it("keeps apart what data or questions lead to", () => {
  deepEqual(waves(test("a.", "x CNAME y.b."), test("b.")), [["a."], ["b."]]);
  deepEqual(waves(test("b."), test("a.", "x CNAME y.b.")), [["b."], ["a."]]);
  deepEqual(waves(test("a.", "", "q.b."), test("b.")), [["a."], ["b."]]);
  deepEqual(waves(test("a.", "x DNAME b."), test("c.b.")), [["a."], ["c.b."]]);
  deepEqual(waves(test("c.b."), test("a.", "x DNAME b.")), [["c.b."], ["a."]]);
});
