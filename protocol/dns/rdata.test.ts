import { deepEqual, equal, throws } from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { DnsValueError } from "./dns-error.ts";
import { parseDnsName } from "./dns-name.ts";
import { parseType } from "./dns-type.ts";
import { formatRdata, isSoundRdata, parseRdata } from "./rdata.ts";
import { layoutOf } from "./rdata-layout.ts";

const HEX32 = "ab".repeat(32);

/** Data as typed, and as shown again where that differs. */
const SOUND: readonly (readonly [type: string, typed: string, shown?: string])[] = [
  ["A", "192.0.2.14"],
  ["AAAA", "2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
  ["AAAA", "::ffff:192.0.2.1", "::ffff:c000:201"],
  ["AAAA", "::"],
  ["NS", "ns1", "ns1.mesh.example."],
  ["CNAME", "Www.example.net."],
  ["DNAME", "@", "mesh.example."],
  ["PTR", "mail.example.net."],
  ["MX", "10 mail.example.net."],
  ["MX", "0 ."],
  ["TXT", 'plain "two words" "\\"\\\\\\007é"', '"plain" "two words" "\\"\\\\\\007\\195\\169"'],
  ["SRV", "0 5 5061 sip.example.net."],
  ["SOA", ". hostmaster 7 1h 5m 2w 60", ". hostmaster.mesh.example. 7 3600 300 1209600 60"],
  ["CAA", '0 issue "letsencrypt.org; validationmethods=dns-01"'],
  ["CAA", '128 iodef "mailto:a@example.net"'],
  ["TLSA", `3 1 1 ${HEX32}`],
  ["SSHFP", `4 2 ${HEX32.toUpperCase()}`, `4 2 ${HEX32}`],
  ["DS", `12345 13 2 ${HEX32}`],
  ["CDS", "0 0 0 00"],
  ["DNSKEY", "257 3 13 AAEC", "257 3 13 AAEC"],
  ["NAPTR", '100 50 "s" "SIP+D2T" "" _sip._tcp.example.net.'],
  ["URI", '10 1 "https://example.net/"'],
  ["HTTPS", "0 www.example.net."],
  ["HTTPS", '1 . port=8443 alpn="h2,h3"', "1 . alpn=h2,h3 port=8443"],
  [
    "SVCB",
    "16 foo.example.org. alpn=f\\\\\\092oo\\092,bar,h2 mandatory=ipv4hint,alpn ipv4hint=192.0.2.1",
    '16 foo.example.org. mandatory=alpn,ipv4hint alpn="f\\\\\\\\oo\\\\,bar,h2" ipv4hint=192.0.2.1',
  ],
  ["SVCB", '1 foo. key667="hello\\210qoo"'],
  ["LOC", "48 0 20 N 4 6 W 30m", "48 0 20.000 N 4 6 0.000 W 30.00m 1.00m 10000.00m 10.00m"],
  [
    "LOC",
    "51 30 12.748 S 180 E -24.35 0.00m 20m 9000000m",
    "51 30 12.748 S 180 0 0.000 E -24.35m 0.00m 20.00m 9000000.00m",
  ],
  ["CSYNC", "66 3 AAAA NS A TYPE65280", "66 3 A NS AAAA TYPE65280"],
  ["CSYNC", "66 3"],
  ["EUI48", "00-00-5E-00-53-2a", "00-00-5e-00-53-2a"],
  ["EUI64", "00-00-5e-ef-10-00-00-2a"],
  ["NID", "10 0014:4fff:FF20:ee64", "10 0014:4fff:ff20:ee64"],
  ["L32", "10 192.0.2.1"],
  ["L64", "10 2001:0db8:1140:1000"],
  ["LP", "10 l64.example.net."],
  ["DHCID", "AAIBY2/AuCccgoJbsaxcQc9TUapptP69lOjxfNuVAA2kjEA="],
  ["RT", "2 relay.example.net."],
  ["PX", "50 net2. it.x400.example."],
  ["X25", '"311061700956"'],
  ["TYPE65280", "\\# 4 C0 000201", "\\# 4 c0000201"],
  ["TYPE65280", "\\# 0"],
  ["A", "\\# 4 c0000201", "192.0.2.1"],
];

/** Data that are refused, and what the error must say. */
const UNSOUND: readonly (readonly [type: string, typed: string, says: string])[] = [
  ["A", "192.0.2.300", '"192.0.2.300" is not an IPv4 address (300 is above 255).'],
  ["A", "192.0.2", '"192.0.2" is not an IPv4 address (it has 3 of 4 parts).'],
  ["A", "192.0.2.010", '"192.0.2.010" is not an IPv4 address (010 starts with a zero).'],
  ["A", "192.0.2.1 192.0.2.2", '"192.0.2.2" follows the address'],
  ["A", "", '"" is not A data (it is empty).'],
  ["AAAA", "2001:db8::1::", '"::" stands more than once'],
  ["AAAA", "1:2:3:4:5:6:7", "it has 7 of 8 groups"],
  ["AAAA", "fe80::1%eth0", "a zone index has no meaning for others"],
  ["AAAA", "12345::", '"12345" has more than 4 digits'],
  ["MX", "mail.example.net.", '"mail.example.net." is not a preference'],
  ["MX", "10", "the exchange is missing"],
  ["MX", "70000 mail.", "70000 is above 65535"],
  ["CNAME", "a..b", "label 2 is empty"],
  ["TXT", `"${"x".repeat(256)}"`, "a string has at most 255 bytes, this one has 256"],
  ["TXT", '"open', "a quote is not closed"],
  ["TXT", "v=DKIM1; k=rsa", "; must stand in quotes or after a \\"],
  ["SRV", "0 5 sip.example.net.", '"sip.example.net." is not a port'],
  ["CAA", "0 is-sue x", "letters and digits only"],
  ["TLSA", "3 1 1 abcd", "a digest of type 1 has 32 bytes, this one has 2"],
  ["TLSA", "4 1 1 abcd", "usage 4 is not one of 0, 1, 2, 3, 255"],
  ["SSHFP", `4 1 ${HEX32}`, "a digest of type 1 has 20 bytes, this one has 32"],
  ["DNSKEY", "257 2 13 AAEC", "the protocol must be 3"],
  ["DNSKEY", "257 3 13 AAE", "it is not base64"],
  ["HTTPS", "1 . alpnn=h2", '"alpnn" is not a parameter'],
  ["HTTPS", "1 . port=99999", 'port "99999" is not a number from 0 to 65535'],
  ["HTTPS", "1 . port=1 port=2", "port stands twice"],
  ["HTTPS", "1 . mandatory=alpn", "mandatory alpn is missing"],
  ["HTTPS", "0 . alpn=h2", "priority 0 is an alias and takes no parameters"],
  ["LOC", "91 N 0 E 0", "the latitude is not within 90 degrees"],
  ["LOC", "48 0 20 4 6 W 30m", '"4" stands where the latitude ends with N or S'],
  ["LOC", "48 N 4 W", "the altitude is missing"],
  ["LOC", "48 N 4 W 1m 1m 1m 1m 1m", '"1m" follows the vertical precision'],
  ["CSYNC", "66 3 NOPE", '"NOPE" is not a record type'],
  ["EUI48", "00-00-5e-00-53", "it looks like 00-00-5e-00-53-2a"],
  ["SOA", ". host 1 1x 1 1 1", '"1x" is not a number of seconds.'],
  ["TYPE65280", "abc", "TYPE65280 data must be given as bytes."],
  ["TYPE65280", "\\# 3 c0000201", "it has 4 bytes and says 3"],
  ["A", "\\# 3 c00002", "the bytes do not fit the type"],
];

describe("the data of a record", () => {
  const zone = parseDnsName("mesh.example.");

  for (const [type, typed, shown = typed] of SOUND) {
    it(`${type} ${typed}`.slice(0, 70), () => {
      const number = parseType(type);
      const rdata = parseRdata(number, typed, zone);
      equal(formatRdata(number, rdata), shown);
      deepEqual(parseRdata(number, shown), rdata);
    });
  }

  for (const [type, typed, says] of UNSOUND) {
    it(`refuses ${type} ${typed}`.slice(0, 70), () => {
      throws(
        () => parseRdata(parseType(type), typed, zone),
        (error) => error instanceof DnsValueError && error.message.includes(says),
      );
    });
  }

  it("refuses what is no type", () => {
    throws(() => parseType("AAAAA"), { code: "E-DNS-TYPE" });
    throws(() => parseType("TYPE65536"), { code: "E-DNS-TYPE" });
    equal(parseType("type1"), 1);
  });

  it("shows any bytes as text that reads back to them", () => {
    const types = [
      1, 2, 6, 15, 16, 28, 33, 35, 37, 43, 44, 48, 52, 61, 63, 64, 65, 256, 257, 65_280,
    ];
    fc.assert(
      fc.property(fc.constantFrom(...types), fc.uint8Array({ maxLength: 60 }), (type, rdata) => {
        if (!isSoundRdata(type, rdata)) return;
        deepEqual(parseRdata(type, formatRdata(type, rdata)), rdata);
      }),
      { numRuns: 2000 },
    );
  });

  it("has a sound layout for each type it knows", () => {
    for (const type of [1, 2, 5, 6, 12, 15, 16, 28, 33, 35, 39, 44, 52, 64, 65, 257]) {
      equal((layoutOf(type) ?? []).length > 0, true);
    }
  });
});
