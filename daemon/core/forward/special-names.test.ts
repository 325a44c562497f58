import assert from "node:assert/strict";
import { test } from "node:test";
import { formatRcode } from "../../../protocol/dns/dns-code.ts";
import { formatDnsName, parseDnsName } from "../../../protocol/dns/dns-name.ts";
import { formatType, parseType } from "../../../protocol/dns/dns-type.ts";
import { formatRdata } from "../../../protocol/dns/rdata.ts";
import { specialAnswer } from "./special-names.ts";

/** `NXDOMAIN local. SOA`, `NOERROR localhost. A 127.0.0.1`; undefined: others are asked. */
function answer(name: string, type: string): string | undefined {
  const found = specialAnswer(parseDnsName(name), parseType(type));
  if (found === undefined) return undefined;
  const [set] = [...found.answers, ...found.authorities];
  const code = formatRcode(found.rcode);
  if (set === undefined) return code;
  const data = found.answers.length === 0 ? [] : [formatRdata(set.type, set.rdata[0] ?? set.owner)];
  return [code, formatDnsName(set.owner), formatType(set.type), ...data].join(" ");
}

test("this machine is where it always is", () => {
  assert.equal(answer("LocalHost", "A"), "NOERROR LocalHost. A 127.0.0.1");
  assert.equal(answer("x.localhost", "AAAA"), "NOERROR x.localhost. AAAA ::1");
  assert.equal(answer("localhost", "MX"), "NOERROR localhost. SOA");
  assert.equal(
    answer("1.0.0.127.in-addr.arpa", "PTR"),
    "NOERROR 1.0.0.127.in-addr.arpa. PTR localhost.",
  );
  const six = `1.${"0.".repeat(31)}ip6.arpa`;
  assert.equal(answer(six, "PTR"), `NOERROR ${six}. PTR localhost.`);
  assert.equal(answer("2.0.0.127.in-addr.arpa", "PTR"), "NXDOMAIN 127.in-addr.arpa. SOA");
});

test("names that mean nothing outside are not asked for outside", () => {
  const cases: Readonly<Record<string, string>> = {
    "printer.local": "local.",
    "a.b.onion": "onion.",
    "nas.home.arpa": "home.arpa.",
    "x.internal": "internal.",
    "x.test": "test.",
    "x.invalid": "invalid.",
    "x.alt": "alt.",
    "www.use-application-dns.net": "use-application-dns.net.",
    "1.1.168.192.in-addr.arpa": "168.192.in-addr.arpa.",
    "1.2.3.10.in-addr.arpa": "10.in-addr.arpa.",
    "1.1.16.172.in-addr.arpa": "16.172.in-addr.arpa.",
    "1.1.31.172.in-addr.arpa": "31.172.in-addr.arpa.",
    "1.1.64.100.in-addr.arpa": "64.100.in-addr.arpa.",
    "1.1.254.169.in-addr.arpa": "254.169.in-addr.arpa.",
    "0.0.0.0.8.e.f.ip6.arpa": "8.e.f.ip6.arpa.",
    "1.d.f.ip6.arpa": "d.f.ip6.arpa.",
  };
  for (const [name, apex] of Object.entries(cases)) {
    for (const type of ["A", "PTR", "TXT", "TYPE65280"]) {
      assert.equal(answer(name, type), `NXDOMAIN ${apex} SOA`, name);
    }
    assert.equal(answer(apex, "A"), `NOERROR ${apex} SOA`);
    assert.match(
      answer(apex, "SOA") ?? "",
      /^NOERROR .* SOA .* nobody\.invalid\. 1 3600 1200 604800 10800$/,
    );
    assert.equal(answer(apex, "NS"), `NOERROR ${apex} NS ${apex}`);
  }
  assert.equal(answer("_dns.resolver.arpa", "SVCB"), "NOERROR resolver.arpa. SOA");
});

test("all others are, and what proves that some are not signed", () => {
  for (const name of [
    ...["www.example.", "localhost.example", "local.example.org", "example", "arpa", "."],
    ...["1.1.15.172.in-addr.arpa", "1.1.32.172.in-addr.arpa", "1.1.128.100.in-addr.arpa"],
    ...["1.1.169.192.in-addr.arpa", "ipv4only.arpa", "c.f.ip6.arpa"],
  ]) {
    assert.equal(answer(name, "TXT"), undefined, name);
  }
  assert.equal(answer("home.arpa", "DS"), undefined);
  assert.equal(answer("x.home.arpa", "DS"), "NXDOMAIN home.arpa. SOA");
});

test("a box is not asked for in the world by its name alone, and no top-level domain is denied", () => {
  for (const type of ["A", "AAAA", "HTTPS"]) assert.equal(answer("nas", type), "NOERROR");
  for (const type of ["NS", "SOA", "DS", "DNSKEY"]) assert.equal(answer("com", type), undefined);
});
