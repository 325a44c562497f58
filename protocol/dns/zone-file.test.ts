import { deepEqual, equal, match, ok } from "node:assert/strict";
import { describe, it } from "node:test";
import { formatDnsName, parseDnsName } from "./dns-name.ts";
import { formatType } from "./dns-type.ts";
import { DnsValueError } from "./dns-error.ts";
import { formatRdata } from "./rdata.ts";
import { problemText, readZoneFile, type ZoneFileOptions } from "./zone-file.ts";

const ORIGIN = parseDnsName("mesh.example");

function read(text: string | Uint8Array, options: ZoneFileOptions = { origin: ORIGIN }) {
  const bytes = typeof text === "string" ? Buffer.from(text) : text;
  const content = readZoneFile({ name: "zone", bytes }, options);
  return {
    lines: content.records.map(
      ({ owner, ttl, type, rdata }) =>
        `${formatDnsName(owner)} ${ttl} ${formatType(type)} ${formatRdata(type, rdata)}`,
    ),
    problems: content.problems.map(problemText),
    leftOut: [...content.leftOut],
  };
}

/** The records of a file that has no problems. */
function lines(text: string | Uint8Array, options?: ZoneFileOptions): string[] {
  const { lines: found, problems } = read(text, options);
  deepEqual(problems, []);
  return found;
}

const problemsOf = (text: string, options?: ZoneFileOptions): string[] =>
  read(text, options).problems;

describe("a zone file", () => {
  it("is read as RFC 1035 section 5.3 has it", () => {
    const text = `@   IN  SOA     VENERA      Action\\.domains (
                                 20     ; SERIAL
                                 7200   ; REFRESH
                                 600    ; RETRY
                                 3600000; EXPIRE
                                 60)    ; MINIMUM

        NS      A.ISI.EDU.
        NS      VENERA
        MX      10      VENERA
        MX      20      VAXA

A       A       26.3.0.103

VENERA  A       10.1.0.52
        A       128.9.0.32

$INCLUDE <SUBSYS>ISI-MAILBOXES.TXT`;
    const mailboxes = "MOE     MX      10 A\nLARRY   MX      10 A.ISI.EDU.\n";
    const include = (name: string) => ({ name, bytes: Buffer.from(mailboxes) });
    const origin = parseDnsName("isi.edu");
    deepEqual(lines(text, { origin, include }), [
      "isi.edu. 60 SOA VENERA.isi.edu. Action\\046domains.isi.edu. 20 7200 600 3600000 60",
      "isi.edu. 60 NS A.ISI.EDU.",
      "isi.edu. 60 NS VENERA.isi.edu.",
      "isi.edu. 60 MX 10 VENERA.isi.edu.",
      "isi.edu. 60 MX 20 VAXA.isi.edu.",
      "a.isi.edu. 60 A 26.3.0.103",
      "venera.isi.edu. 60 A 10.1.0.52",
      "venera.isi.edu. 60 A 128.9.0.32",
      "moe.isi.edu. 60 MX 10 A.isi.edu.",
      "larry.isi.edu. 60 MX 10 A.ISI.EDU.",
    ]);
  });

  it("takes TTL and class in either order, units, and the last TTL that was said", () => {
    deepEqual(
      lines(
        "a 1h30m IN A 192.0.2.1\nb in 1d A 192.0.2.2\nc A 192.0.2.3\nd CLASS1 5 TYPE1 \\# 4 c0000204",
      ),
      [
        "a.mesh.example. 5400 A 192.0.2.1",
        "b.mesh.example. 86400 A 192.0.2.2",
        "c.mesh.example. 86400 A 192.0.2.3",
        "d.mesh.example. 5 A 192.0.2.4",
      ],
    );
  });

  it("prefers $TTL to the last TTL (RFC 2308)", () => {
    deepEqual(lines("a 5 A 192.0.2.1\n$ttl 10m\nb A 192.0.2.2\nc 7 A 192.0.2.3\nd A 192.0.2.4"), [
      "a.mesh.example. 5 A 192.0.2.1",
      "b.mesh.example. 600 A 192.0.2.2",
      "c.mesh.example. 7 A 192.0.2.3",
      "d.mesh.example. 600 A 192.0.2.4",
    ]);
  });

  it("changes the origin, also relative to the one before", () => {
    deepEqual(lines("$TTL 1\n$ORIGIN sub\n@ A 192.0.2.1\n$ORIGIN other.example.\nx CNAME y"), [
      "sub.mesh.example. 1 A 192.0.2.1",
      "x.other.example. 1 CNAME y.other.example.",
    ]);
  });

  it("gives back origin and owner after an included file", () => {
    const include = () => ({ name: "b", bytes: Buffer.from("$ORIGIN deep\nx A 192.0.2.2\n") });
    deepEqual(
      lines("$TTL 1\na A 192.0.2.1\n$INCLUDE b in\n  A 192.0.2.3\nz A 192.0.2.4", {
        origin: ORIGIN,
        include,
      }),
      [
        "a.mesh.example. 1 A 192.0.2.1",
        "x.deep.in.mesh.example. 1 A 192.0.2.2",
        "a.mesh.example. 1 A 192.0.2.3",
        "z.mesh.example. 1 A 192.0.2.4",
      ],
    );
  });

  it("keeps strings byte by byte", () => {
    const latin1 = Buffer.from('t 1 TXT "caf\xe9;(" a\\;b "" \\233\\"\n', "latin1");
    deepEqual(lines(latin1), ['t.mesh.example. 1 TXT "caf\\233;(" "a;b" "" "\\233\\""']);
    deepEqual(lines('t 1 TXT "a""b"'), ['t.mesh.example. 1 TXT "a" "b"']);
  });

  it("takes escapes in names", () => {
    deepEqual(lines("a\\.b\\032c 1 CNAME \\000.d"), [
      "a\\046b\\032c.mesh.example. 1 CNAME \\000.d.mesh.example.",
    ]);
  });

  it("reads files of Windows, brackets anywhere, and a last line without an end", () => {
    const text =
      '\ufeff$TTL 1\r\na ( ; opens\r\n\tA ) 192.0.2.1\r\n\r\n ; only a comment\r\n TXT ("x"\r\n y)';
    deepEqual(lines(text), ["a.mesh.example. 1 A 192.0.2.1", 'a.mesh.example. 1 TXT "x" "y"']);
  });

  it("generates as BIND does", () => {
    deepEqual(lines("$TTL 1\n$GENERATE 1-3/2 host${0,3}-$ A 10.0.0.${10}\nx CNAME y"), [
      "host001-1.mesh.example. 1 A 10.0.0.11",
      "host003-3.mesh.example. 1 A 10.0.0.13",
      "x.mesh.example. 1 CNAME y.mesh.example.",
    ]);
    deepEqual(lines("$GENERATE 26-26 ${0,4,n}.r 5 PTR ${0,0,x}-${0,2,X}-\\$"), [
      "a.1.r.mesh.example. 5 PTR 1a-1A-\\036.mesh.example.",
    ]);
  });

  it("leaves out what only a signer makes, and counts it", () => {
    const found = read(
      "a 1 A 192.0.2.1\na 1 RRSIG A 13 3 1 2030 2020 1 mesh.example. AAAA\na NSEC b A\n",
    );
    deepEqual(found.leftOut, [
      ["RRSIG", 1],
      ["NSEC", 1],
    ]);
    deepEqual([found.lines.length, found.problems], [1, []]);
  });
});

describe("a mistake in a zone file", () => {
  const cases: readonly (readonly [text: string, problem: RegExp])[] = [
    ["a 1 A 192.0.2.300", /^zone:1:7: "192\.0\.2\.300" is not an IPv4 address .*300 is above 255/],
    ["\n  a 1 A 192.0.2.1", /^zone:2:3: no owner stands before/],
    ["a A 192.0.2.1", /^zone:1:1: the record has no TTL.*\$TTL 1h/],
    ["a 1 A (192.0.2.1\nb 1 A 192.0.2.2\n", /^zone:1:7: a \( is not closed/],
    ["a 1 A 192.0.2.1 )", /^zone:1:17: a \) that closes nothing/],
    ['a 1 TXT "abc\nb 1 A 192.0.2.1', /^zone:1:9: a quote is not closed on its line/],
    ["a 1 CH TXT x", /^zone:1:5: the class CH is not served.*Only IN/],
    ["a 1 IN", /^zone:1:5: the type is missing/],
    ["a 1 NOPE x", /^zone:1:5: "NOPE" is not a record type/],
    ["a 1 MX 10", /^zone:1:8: .*the exchange is missing/],
    ["a 1 A 192.0.2.1 x", /^zone:1:17: .*"x" follows the address/],
    ["a..b 1 A 192.0.2.1", /^zone:1:1: "a\.\.b" is not a domain name.*label 2 is empty/],
    ["caf\u00e9 1 A 192.0.2.1", /^zone:1:1: .*Write it as xn--caf-dma/],
    ["a 1 TXT \\300", /^zone:1:9: .*above \\255/],
    ["a 1 TXT x\\", /^zone:1:10: a \\ that nothing follows/],
    ["a 99999999999 A 192.0.2.1", /^zone:1:3: "99999999999" is not a number of seconds/],
    ["a 1 OPT x", /^zone:1:5: OPT records cannot stand/],
    ["a 1 A \\# 3 c00002", /^zone:1:7: .*do not fit the type/],
    ["$NOPE x", /^zone:1:1: \$NOPE is not a directive/],
    ["$TTL 1 2", /^zone:1:8: 2 follows \$TTL/],
    ["$INCLUDE b", /^zone:1:10: \$INCLUDE cannot be followed here/],
    ["$GENERATE 5-1 a$ A 192.0.2.$", /^zone:1:11: "5-1" is not a range/],
    ["$GENERATE 1-70000 a$ 1 A 192.0.2.1", /^zone:1:11: more than 65536 records/],
    ["$GENERATE 1-9 $$GENERATE 1-9 a 1 RRSIG x", /^zone:1:11: \$GENERATE follows \$GENERATE/],
    ["$GENERATE 1-9 \\$INCLUDE a", /^zone:1:11: \$INCLUDE follows \$GENERATE/],
    ["a\u0001 1 A 192.0.2.1", /^zone:1:2: a control character.*\\001/],
  ];
  for (const [text, problem] of cases) {
    it(`is found in ${JSON.stringify(text)}`, () => {
      const [first = ""] = problemsOf(text);
      match(first, problem);
    });
  }

  it("does not hide the ones after it", () => {
    const found = problemsOf('a 1 A 1\nb 1 TXT "x\nc 1 A 192.0.2.1\nd 1 A 2\n');
    deepEqual(
      found.map((text) => text.split(" ", 1)[0]),
      ["zone:1:7:", "zone:2:9:", "zone:4:7:"],
    );
  });

  it("is one of at most twenty that are told", () => {
    equal(problemsOf("a 1 A x\n".repeat(100)).length, 20);
  });

  it("is named with its own file when that is included", () => {
    const include = (name: string) => ({ name: `dir/${name}`, bytes: Buffer.from("x\n") });
    match(
      problemsOf("$INCLUDE b", { origin: ORIGIN, include })[0] ?? "",
      /^dir\/b:1:1: the type is missing/,
    );
  });

  it("is a file that includes itself, without end", () => {
    const include = (name: string) => ({ name, bytes: Buffer.from("$INCLUDE b\n$INCLUDE b\n") });
    const found = problemsOf("$INCLUDE b", { origin: ORIGIN, include });
    equal(found.length, 20);
    match(found[0] ?? "", /Does one include itself/);
  });

  it("is an included file that cannot be read", () => {
    const include = (): never => {
      throw new DnsValueError("E-DNS-VALUE", "b is not there.");
    };
    deepEqual(problemsOf("$INCLUDE b", { origin: ORIGIN, include }), [
      "zone:1:10: b is not there.",
    ]);
  });

  it("is a relative name without an origin", () => {
    for (const text of ["a 1 A 192.0.2.1", "@ 1 A 192.0.2.1", "a. 1 MX 10 b", "$ORIGIN a"]) {
      match(problemsOf(text, {})[0] ?? "", /is relative, and nothing says to what.*--zone/);
    }
    deepEqual(lines("a. 1 MX 10 b.", {}), ["a. 1 MX 10 b."]);
  });
});

describe("hostile bytes", () => {
  it("never throw", () => {
    let seed = 7;
    const random = (below: number): number => {
      seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
      return (seed >>> 8) % below;
    };
    const pieces = [
      "(",
      ")",
      '"',
      "\\",
      ";",
      "\n",
      " ",
      "$TTL",
      "$GENERATE 1-9",
      "$ORIGIN",
      "@",
      "A",
      "TXT",
      "LOC",
      "\\#",
      "1",
      "192.0.2.1",
      "SVCB",
      "alpn=",
      "\u00e9",
      "\u0000",
      "${",
      "IN",
    ];
    for (let round = 0; round < 2000; round++) {
      const text = Array.from(
        { length: random(30) },
        () => `${pieces[random(pieces.length)]}${random(2) ? " " : ""}`,
      ).join("");
      ok(read(text).lines.length >= 0);
    }
  });
});
