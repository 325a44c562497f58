import { deepEqual, equal, match } from "node:assert/strict";
import { describe, it } from "node:test";
import { parseDnsName } from "../../../protocol/dns/dns-name.ts";
import { problemText, readZoneFile } from "../../../protocol/dns/zone-file.ts";
import { zoneOfFile, type FileZone } from "./file-zone.ts";
import { differenceLines, textLine, zoneDifference, type ServedLine } from "./zone-difference.ts";

const ORIGIN = parseDnsName("mesh.example");
const SOA = "@ SOA ns host 7 1 1 1 1\n";

function made(text: string, zone: typeof ORIGIN | undefined = ORIGIN) {
  const content = readZoneFile(
    { name: "f", bytes: Buffer.from(`$TTL 5\n${text}`) },
    { origin: ORIGIN },
  );
  deepEqual(content.problems, []);
  return zoneOfFile("f", content.records, zone);
}

function sound(text: string): FileZone {
  const zone = made(text);
  if ("problems" in zone) throw new Error(zone.problems.map(problemText).join("\n"));
  return zone;
}

describe("a zone of a file", () => {
  it("takes its name from the SOA, and each record once", () => {
    const zone = made(`${SOA}a A 192.0.2.1\n${SOA}A 9 A 192.0.2.1\n`, undefined);
    if ("problems" in zone) throw new Error("problems");
    deepEqual(
      zone.records.map(textLine).map(({ name, ttl, type }) => `${name} ${ttl} ${type}`),
      ["mesh.example. 5 SOA", "a.mesh.example. 5 A"],
    );
    deepEqual(zone.notes, [
      "A of a.mesh.example. has several TTLs; all get the least, 5 s (RFC 2181).",
    ]);
  });

  const mistakes: readonly (readonly [text: string, problem: RegExp])[] = [
    ["x.other. A 192.0.2.1", /^f:2:1: x\.other\. is not in the zone mesh\.example\./],
    ["a CNAME b\na CNAME c", /^f:3:1: a\.mesh\.example\. has two CNAME records.*line 2/],
    ["a TXT x\na CNAME c", /^f:3:1: .*a CNAME and a TXT record.*Keep line 3 or line 2/],
    ["@ CNAME c", /^f:2:1: .*no place at the top/],
    ["a SOA ns host 7 1 1 1 1", /^f:2:1: A SOA record stands at the top of a zone only/],
    [`${SOA}@ SOA ns host 8 1 1 1 1`, /^f:3:1: .*has two SOA records/],
    [`${"\\001".repeat(60)}.${"\\001".repeat(60)} A 192.0.2.1`, /^f:2:1: the name has too many/],
  ];
  for (const [text, problem] of mistakes) {
    it(`is none out of ${JSON.stringify(text.slice(0, 40))}`, () => {
      const zone = made(text);
      match("problems" in zone ? zone.problems.map(problemText).join("\n") : "", problem);
    });
  }

  it("needs a SOA or a name", () => {
    const zone = zoneOfFile("f", []);
    match("problems" in zone ? (zone.problems[0]?.hint ?? "") : "", /--zone/);
  });
});

describe("the difference of a zone and a file", () => {
  const line = (text: string, written = true, at: ServedLine["at"] = "here"): ServedLine => {
    const [name = "", ttl, type = "", ...data] = text.split(" ");
    return { name, ttl: Number(ttl), type, data: data.join(" "), written, at };
  };
  const lines = (served: readonly ServedLine[], text: string, replace: boolean): string[] =>
    differenceLines(zoneDifference(served, sound(text).records, replace));

  const SERVED = [
    line("mesh.example. 5 SOA ns.mesh.example. host.mesh.example. 99 1 1 1 1"),
    line("a.mesh.example. 5 A 192.0.2.1"),
    line("a.mesh.example. 5 A 192.0.2.2"),
    line("c.mesh.example. 5 CNAME d.mesh.example."),
    line("wiki.mesh.example. 60 A 192.0.2.9", false),
  ];

  it("is none for the same records, another serial, and what follows from the inventory", () => {
    const same = `${SOA}a A 192.0.2.1\na A 192.0.2.2\nc CNAME d\nwiki A 192.0.2.9\n`;
    deepEqual(lines(SERVED, same, true), []);
    equal(zoneDifference(SERVED, sound(same).records, true).sameCount, 5);
  });

  it("keeps what the file lacks, unless it is to replace", () => {
    deepEqual(lines(SERVED, "a A 192.0.2.3\n", false), ["+ a.mesh.example. 5 IN A 192.0.2.3"]);
    deepEqual(lines(SERVED, "a A 192.0.2.3\n", true), [
      "- a.mesh.example. 5 IN A 192.0.2.1",
      "- a.mesh.example. 5 IN A 192.0.2.2",
      "+ a.mesh.example. 5 IN A 192.0.2.3",
      "- c.mesh.example. 5 IN CNAME d.mesh.example.",
    ]);
  });

  it("gives a set one TTL, and a name one alias", () => {
    deepEqual(lines(SERVED, "a 9 A 192.0.2.1\nc CNAME e\n", false), [
      "- a.mesh.example. 5 IN A 192.0.2.1",
      "- a.mesh.example. 5 IN A 192.0.2.2",
      "+ a.mesh.example. 9 IN A 192.0.2.1",
      "+ a.mesh.example. 9 IN A 192.0.2.2",
      "- c.mesh.example. 5 IN CNAME d.mesh.example.",
      "+ c.mesh.example. 5 IN CNAME e.mesh.example.",
    ]);
  });

  it("of a view is a whole set for what shows through otherwise, and nothing for the rest", () => {
    const below = SERVED.map((each) => ({ ...each, at: "below" as const }));
    const served = [...below, line("lan.mesh.example. 5 A 10.0.0.1")];
    const whole = `${SOA}a A 192.0.2.1\na A 192.0.2.2\nc CNAME d\nwiki A 192.0.2.9\n`;
    const own = "lan A 10.0.0.1\n";
    deepEqual(lines(served, whole + own, true), []);
    deepEqual(lines(served, "a A 192.0.2.1\na A 10.0.0.2\n", true), [
      "+ a.mesh.example. 5 IN A 10.0.0.2",
      "+ a.mesh.example. 5 IN A 192.0.2.1",
      "- lan.mesh.example. 5 IN A 10.0.0.1",
    ]);
    deepEqual(lines(served, "c CNAME e\n", false), [
      "+ c.mesh.example. 5 IN CNAME e.mesh.example.",
    ]);
    const lacking = zoneDifference(served, sound(own).records, true);
    equal(lacking.staying.length, 4);
    const soa = "@ SOA other host 7 1 1 1 1\n";
    const other = zoneDifference(served, sound(soa).records, false);
    deepEqual([other.puts.length, other.otherSoa?.type], [0, "SOA"]);
  });

  it("names aliases over what shows through, and records under aliases of other views", () => {
    const served = [
      line("a.mesh.example. 5 A 192.0.2.1", true, "below"),
      line("b.mesh.example. 5 CNAME a.mesh.example.", true, "below"),
      line("c.mesh.example. 5 CNAME a.mesh.example.", true, "above"),
    ];
    const aliased = (text: string) => zoneDifference(served, sound(text).records, false).aliased;
    deepEqual(aliased("a CNAME x\n"), ["a.mesh.example."]);
    deepEqual(aliased("b A 10.0.0.1\n"), []);
    deepEqual(aliased("c A 10.0.0.1\n"), ["c.mesh.example."]);
    deepEqual(aliased("c CNAME x\n"), []);
  });

  it("names aliases that would stand beside other records", () => {
    const { records } = sound("a CNAME b\nc TXT x\nwiki CNAME b\n");
    deepEqual(zoneDifference(SERVED, records, false).aliased, [
      "a.mesh.example.",
      "c.mesh.example.",
    ]);
    deepEqual(zoneDifference(SERVED, records, true).aliased, []);
  });
});
