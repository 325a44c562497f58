import { deepEqual, equal, match, throws } from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  countLabels,
  formatDnsName,
  formatRelative,
  isHostName,
  isWithin,
  nameKey,
  parentName,
  parseDnsName,
  readDnsName,
  sameName,
  type DnsName,
} from "./dns-name.ts";
import { DnsValueError } from "./dns-error.ts";

const label = fc.uint8Array({ minLength: 1, maxLength: 63 });
const anyName = fc
  .array(label, { maxLength: 4 })
  .map((labels) => {
    const bytes = labels.flatMap((part) => [part.length, ...part]);
    return Uint8Array.from([...bytes, 0]) as DnsName;
  })
  .filter((name) => name.length <= 255);

function problemOf(text: string): string {
  let message = "";
  throws(
    () => parseDnsName(text),
    (error) => {
      if (error instanceof DnsValueError) message = error.message;
      return error instanceof DnsValueError && error.code === "E-DNS-NAME";
    },
  );
  return message;
}

describe("a domain name", () => {
  it("takes the origin unless it ends in a dot", () => {
    const zone = parseDnsName("mesh.example.");
    equal(formatDnsName(parseDnsName("www", zone)), "www.mesh.example.");
    equal(formatDnsName(parseDnsName("www.", zone)), "www.");
    equal(formatDnsName(parseDnsName("@", zone)), "mesh.example.");
  });

  it("is the same with plain characters as with escaped ones, above any origin", () => {
    const plain = fc.stringMatching(/^[A-Za-z0-9_*-]{1,63}$/);
    const labels = fc.array(plain, { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(labels, anyName, fc.boolean(), (parts, origin, absolute) => {
        const text = parts.join(".") + (absolute ? "." : "");
        const escaped = text.replace(/[^.]/g, (character) => {
          return `\\${String(character.charCodeAt(0)).padStart(3, "0")}`;
        });
        const read = (each: string): DnsName | string => {
          try {
            return parseDnsName(each, origin);
          } catch (error) {
            return String(error).replace(/^.*\(/, "");
          }
        };
        deepEqual(read(text), read(escaped));
      }),
    );
  });

  it("keeps a dot, a slash and any byte inside a label", () => {
    const name = parseDnsName("a\\.b.0\\/25.\\255.example.");
    equal(countLabels(name), 4);
    equal(formatDnsName(name), "a\\046b.0\\04725.\\255.example.");
  });

  it("says what is wrong", () => {
    match(problemOf(""), /it is empty/);
    match(problemOf("a..b"), /label 2 is empty/);
    match(problemOf(".a"), /label 1 is empty/);
    match(problemOf("a b"), /a space in it/);
    match(problemOf(`${"x".repeat(64)}.example`), /label 1 has 64 bytes, at most 63/);
    match(problemOf(Array.from({ length: 5 }, () => "y".repeat(60)).join(".")), /takes 306 bytes/);
    match(problemOf("a\\300"), /\\300 is above \\255/);
    match(problemOf("a\\"), /nothing follows/);
    match(problemOf("blé.example"), /"é" is not ASCII/);
  });

  it("offers the ASCII form of an international name", () => {
    throws(
      () => parseDnsName("blé.example"),
      (error) => error instanceof DnsValueError && error.hint === "Write it as xn--bl-cja.example",
    );
  });

  it("accepts exactly 63 and 255 bytes", () => {
    const longest = `${`${"a".repeat(63)}.`.repeat(3)}${"b".repeat(61)}.`;
    equal(parseDnsName(longest).length, 255);
    match(problemOf(`b${longest}`), /label 1 has 64 bytes/);
    match(problemOf(longest.replace(/b\.$/, "bb.")), /takes 256 bytes/);
  });

  it("compares without regard to ASCII case", () => {
    const upper = parseDnsName("WWW.Example.");
    equal(sameName(upper, parseDnsName("www.example.")), true);
    equal(nameKey(upper), nameKey(parseDnsName("www.eXample.")));
    equal(formatDnsName(upper), "WWW.Example.");
  });

  it("knows what is within what", () => {
    const zone = parseDnsName("mesh.example.");
    equal(isWithin(parseDnsName("a.b.Mesh.example."), zone), true);
    equal(isWithin(zone, zone), true);
    equal(isWithin(parseDnsName("amesh.example."), zone), false);
    equal(formatRelative(parseDnsName("a.b", zone), zone), "a.b");
    equal(formatRelative(zone, zone), "@");
  });

  it("knows names that hosts can have", () => {
    equal(isHostName(parseDnsName("*.a-1.example.")), true);
    equal(isHostName(parseDnsName("a_b.example.")), false);
    equal(isHostName(parseDnsName("-a.example.")), false);
  });

  it("reads back what it writes", () => {
    fc.assert(fc.property(anyName, (name) => deepEqual(parseDnsName(formatDnsName(name)), name)));
  });

  it("reads back what it writes relative to any name above", () => {
    fc.assert(
      fc.property(anyName, fc.nat(4), (name, depth) => {
        const apex = parentName(name, Math.min(depth, countLabels(name)));
        deepEqual(parseDnsName(formatRelative(name, apex), apex), name);
      }),
    );
  });

  it("never reads beyond the bytes, whatever they are", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(300), (bytes, at) => {
        const name = readDnsName(bytes, at);
        return name === undefined || (name.length <= 255 && at + name.length <= bytes.length);
      }),
    );
  });
});
