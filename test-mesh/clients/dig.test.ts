/** The DNS server as `dig` from Debian sees it: answers, refusals, EDNS, truncation, RFC 8906. */
import { deepEqual, equal, match, ok } from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { systemClock } from "../../daemon/observe/system-clock.ts";
import { silentLogger } from "../../daemon/observe/log.ts";
import { DnsServer } from "../../daemon/dns/dns-server.ts";
import { ZoneEditor } from "../../daemon/dns/zone-editor.ts";
import { siteIdOf, StaticSource } from "../dns/static-source.ts";

const run = promisify(execFile);

interface Dug {
  readonly status: string;
  readonly flags: readonly string[];
  readonly answer: readonly string[];
  readonly authority: readonly string[];
  readonly additional: readonly string[];
  readonly text: string;
}

const source = new StaticSource(["quimper", "brest"]);
let server: DnsServer;
let editor: ZoneEditor;
let where: readonly string[] = [];
let where6: readonly string[] = [];

const dig = (...words: readonly string[]): Promise<Dug> => digAt(where, ...words);

async function digAt(place: readonly string[], ...words: readonly string[]): Promise<Dug> {
  const tuning = ["+tries=1", "+timeout=10", "+nocookie"];
  const { stdout } = await run("dig", [...place, ...tuning, ...words]);
  const section = (name: string) => {
    const lines = stdout.split("\n");
    const start = lines.indexOf(`;; ${name} SECTION:`);
    if (start < 0) return [];
    const end = lines.indexOf("", start);
    return lines
      .slice(start + 1, end)
      .map((line) => line.replace(/\s+/g, " "))
      .toSorted();
  };
  return {
    status: /status: (\w+)/.exec(stdout)?.[1] ?? "",
    flags: (/flags: ([a-z ]*);/.exec(stdout)?.[1] ?? "").split(" "),
    answer: section("ANSWER"),
    authority: section("AUTHORITY"),
    additional: section("ADDITIONAL"),
    text: stdout,
  };
}

async function add(name: string, type: string, ...data: readonly string[]): Promise<void> {
  await editor.edit({ action: "add", name, type, data });
}

before(async () => {
  const listen = ["127.0.0.1", "::1"].map((address) => ({ address, port: 0 }));
  const siteName = () => "quimper";
  server = await DnsServer.start({
    listen,
    source,
    clock: systemClock,
    log: silentLogger,
    siteName,
    cookieSecrets: () => [new Uint8Array(16).fill(7)],
    threads: 1,
  });
  const place = (index: number): readonly string[] => {
    const { address = "", port = 0 } = server.listening[index] ?? {};
    return [`@${address}`, "-p", String(port)];
  };
  [where, where6] = [place(0), place(1)];
  editor = new ZoneEditor({
    view: () => source.view(),
    writer: source,
    served: () => server.served(),
    reload: () => server.reload(),
  });
  for (const [name, address] of [
    ["quimper", "192.0.2.1"],
    ["brest", "192.0.2.2"],
  ] as const) {
    const dns = [{ address, port: 53 }];
    source.put("site", "node", { addresses: [], version: "1", dns }, siteIdOf(name));
    const ports = [{ name: "https", port: 8443, transport: "tcp" }];
    const service = { name: "wiki", addresses: [address], ports, maintainers: [] };
    source.put("site", "service/wiki", service, siteIdOf(name));
  }
  await editor.addZone("mesh.example", undefined, 0);
  await add("www.mesh.example", "A", "192.0.2.10", "192.0.2.11");
  await add("a.b.c.mesh.example", "TXT", "deep");
  await add("*.wild.mesh.example", "A", "192.0.2.20");
  await add("x.wild.mesh.example", "TXT", "blocks");
  await add("alias.mesh.example", "CNAME", "alias2.mesh.example.");
  await add("alias2.mesh.example", "CNAME", "www.mesh.example.");
  await add("away.mesh.example", "CNAME", "www.example.net.");
  await add("dead.mesh.example", "CNAME", "nothing.mesh.example.");
  await add("loop.mesh.example", "CNAME", "pool.mesh.example.");
  await add("pool.mesh.example", "CNAME", "loop.mesh.example.");
  await add("sub.mesh.example", "NS", "ns.sub.mesh.example.", "ns.example.net.");
  await add("ns.sub.mesh.example", "A", "192.0.2.30");
  await add("sub.mesh.example", "DS", `1 13 2 ${"ab".repeat(32)}`);
  await add("moved.mesh.example", "DNAME", "www.mesh.example.");
  await add("mesh.example", "MX", "10 mail");
  await add("mail.mesh.example", "A", "192.0.2.40");
  await add("odd.mesh.example", "TYPE65280", "\\# 3 010203");
  const texts = Array.from({ length: 30 }, (_, index) => `${index} ${"x".repeat(90)}`);
  await add("big.mesh.example", "TXT", ...texts);
});

after(async () => server.stop());

const SOA =
  /^mesh\.example\. 60 IN SOA brest\.node\.mesh\.example\. hostmaster\.mesh\.example\. \d+ 3600 300 1209600 60$/;

describe("dig sees", () => {
  it("an answer with authority", async () => {
    const { status, flags, answer, authority } = await dig("www.mesh.example", "A");
    equal(status, "NOERROR");
    ok(flags.includes("aa"));
    ok(!flags.includes("ra"));
    deepEqual(answer, [
      "www.mesh.example. 300 IN A 192.0.2.10",
      "www.mesh.example. 300 IN A 192.0.2.11",
    ]);
    equal(authority.length, 2);
  });

  it("NXDOMAIN and NODATA with the SOA", async () => {
    const missing = await dig("nothing.mesh.example", "A");
    equal(missing.status, "NXDOMAIN");
    match(missing.authority[0] ?? "", SOA);
    const empty = await dig("www.mesh.example", "AAAA");
    equal(empty.status, "NOERROR");
    deepEqual(empty.answer, []);
    match(empty.authority[0] ?? "", SOA);
  });

  it("that empty non-terminals exist", async () => {
    for (const name of ["c.mesh.example", "b.c.mesh.example"]) {
      const { status, answer, authority } = await dig(name, "A");
      equal(status, "NOERROR");
      deepEqual(answer, []);
      match(authority[0] ?? "", SOA);
    }
    equal((await dig("z.c.mesh.example", "A")).status, "NXDOMAIN");
  });

  it("wildcards, also several labels deep, blocked by names that exist", async () => {
    const one = await dig("q.wild.mesh.example", "A");
    deepEqual(one.answer, ["q.wild.mesh.example. 300 IN A 192.0.2.20"]);
    const deep = await dig("r.s.wild.mesh.example", "A");
    deepEqual(deep.answer, ["r.s.wild.mesh.example. 300 IN A 192.0.2.20"]);
    equal((await dig("y.x.wild.mesh.example", "A")).status, "NXDOMAIN");
    deepEqual((await dig("x.wild.mesh.example", "A")).answer, []);
    const literal = await dig("*.wild.mesh.example", "A");
    deepEqual(literal.answer, ["*.wild.mesh.example. 300 IN A 192.0.2.20"]);
    equal((await dig("q.wild.mesh.example", "TXT")).status, "NOERROR");
  });

  it("chains of aliases, to their end or out of the zone", async () => {
    const chain = await dig("alias.mesh.example", "A");
    equal(chain.answer.length, 4);
    const out = await dig("away.mesh.example", "A");
    equal(out.status, "NOERROR");
    deepEqual(out.answer, ["away.mesh.example. 300 IN CNAME www.example.net."]);
    const dead = await dig("dead.mesh.example", "A");
    equal(dead.status, "NXDOMAIN");
    equal(dead.answer.length, 1);
    const loop = await dig("loop.mesh.example", "A");
    equal(loop.status, "NOERROR");
    equal(loop.answer.length, 2);
    equal((await dig("alias.mesh.example", "CNAME")).answer.length, 1);
  });

  it("a delegation with its glue, and DS from above", async () => {
    const referral = await dig("host.sub.mesh.example", "A");
    equal(referral.status, "NOERROR");
    ok(!referral.flags.includes("aa"));
    deepEqual(referral.answer, []);
    equal(referral.authority.length, 2);
    deepEqual(referral.additional, ["ns.sub.mesh.example. 300 IN A 192.0.2.30"]);
    const ds = await dig("sub.mesh.example", "DS");
    ok(ds.flags.includes("aa"));
    equal(ds.answer.length, 1);
  });

  it("DNAME with a CNAME made of it", async () => {
    const { answer, status } = await dig("p.moved.mesh.example", "A");
    deepEqual(answer, [
      "moved.mesh.example. 300 IN DNAME www.mesh.example.",
      "p.moved.mesh.example. 300 IN CNAME p.www.mesh.example.",
    ]);
    equal(status, "NXDOMAIN");
  });

  it("a refusal outside the zones and outside class IN", async () => {
    for (const words of [
      ["www.example.net", "A"],
      ["mesh.example", "CH", "TXT"],
      [".", "NS"],
    ]) {
      const { status, flags, answer, authority } = await dig(...words);
      equal(status, "REFUSED");
      ok(!flags.includes("aa"));
      deepEqual([answer, authority], [[], []]);
    }
    equal((await dig("mesh.example", "AXFR")).text.includes("Transfer failed"), true);
  });

  it("names from the inventory", async () => {
    const wiki = await dig("wiki.mesh.example", "A");
    equal(wiki.answer.length, 2);
    const one = await dig("wiki.brest.mesh.example", "A");
    deepEqual(one.answer, ["wiki.brest.mesh.example. 60 IN A 192.0.2.2"]);
    const node = await dig("quimper.node.mesh.example", "A");
    deepEqual(node.answer, ["quimper.node.mesh.example. 300 IN A 192.0.2.1"]);
    equal((await dig("node.mesh.example", "A")).status, "NOERROR");
    const srv = await dig("_https._tcp.wiki.mesh.example", "SRV");
    equal(srv.answer.length, 2);
    equal(srv.additional.length, 2 + 2, "targets and name servers");
    const https = await dig("wiki.brest.mesh.example", "TYPE65");
    deepEqual(https.answer, ["wiki.brest.mesh.example. 60 IN HTTPS 1 . port=8443"]);
    const ns = await dig("mesh.example", "NS");
    deepEqual(ns.answer, [
      "mesh.example. 300 IN NS brest.node.mesh.example.",
      "mesh.example. 300 IN NS quimper.node.mesh.example.",
    ]);
  });

  it("unknown types, mail exchangers with addresses, and its own spelling", async () => {
    const odd = await dig("odd.mesh.example", "TYPE65280");
    deepEqual(odd.answer, ["odd.mesh.example. 300 IN TYPE65280 \\# 3 010203"]);
    const mx = await dig("mesh.example", "MX");
    ok(mx.additional.includes("mail.mesh.example. 300 IN A 192.0.2.40"));
    for (let round = 0; round < 2; round++) {
      const mixed = await dig("wWw.MESH.example", "A");
      equal(mixed.answer[0], "wWw.MESH.example. 300 IN A 192.0.2.10");
      match(mixed.text, /;wWw\.MESH\.example\.\s+IN\s+A/);
    }
  });

  it("a long answer cut off over UDP and whole over TCP", async () => {
    const cut = await dig("+ignore", "big.mesh.example", "TXT");
    ok(cut.flags.includes("tc"));
    deepEqual(cut.answer, []);
    match(cut.text, /MSG SIZE +rcvd: [1-9][0-9]{1,2}$/m);
    const whole = await dig("big.mesh.example", "TXT");
    equal(whole.answer.length, 30);
    match(whole.text, /\(TCP\)/);
    const small = await dig("+ignore", "+noedns", "big.mesh.example", "TXT");
    ok(small.flags.includes("tc"));
  });

  it("several questions on one TCP connection", async () => {
    const words = ["www.mesh.example", "A", "alias.mesh.example", "CNAME", "mesh.example", "SOA"];
    const { stdout } = await run("dig", [...where, "+tcp", "+keepopen", "+short", ...words]);
    equal(stdout.trim().split("\n").length, 4);
  });
});

/**
 * The queries of RFC 8906 section 8, and what has to come back to each. Those of section 8.2.6
 * ask for a truncated answer, which the zone has no keys for, so a long TXT stands in.
 */
describe("RFC 8906 section 8", () => {
  const zone = "mesh.example";
  const plain = ["+noedns", "+noad", "+norec"];
  const edns = ["+edns=0", "+noad", "+norec"];
  const soa = ({ answer, status, flags }: Dug): void => {
    equal(status, "NOERROR");
    match(answer[0] ?? "", /^mesh\.example\. 3600 IN SOA /);
    equal(answer.length, 1);
    ok(flags.includes("aa"));
    ok(!flags.includes("ad") && !flags.includes("ra"));
  };
  const noEdns = ({ text }: Dug): void => ok(!text.includes("EDNS: version"));
  const clean = ({ text }: Dug): void => {
    match(text, /EDNS: version: 0, flags:( do)?; udp: 1232/);
    ok(!text.includes("OPT=100") && !text.includes("CLIENT-SUBNET"));
  };
  const soaPlain = (dug: Dug): void => {
    soa(dug);
    noEdns(dug);
    ok(!/MBZ/.test(dug.text));
  };
  const soaEdns = (dug: Dug): void => {
    soa(dug);
    clean(dug);
  };
  const badVersion = (dug: Dug): void => {
    equal(dug.status, "BADVERS");
    deepEqual(dug.answer, []);
    clean(dug);
  };
  const version1 = ["+edns=1", "+noednsnegotiation", "+noad", "+norec"];
  const queries: readonly (readonly [string, readonly string[], (dug: Dug) => void])[] = [
    ["8.1.1 existence", [...plain, "soa", zone], soaPlain],
    [
      "8.1.2 an unknown type",
      [...plain, "type1000", zone],
      (dug) => {
        deepEqual([dug.status, dug.answer], ["NOERROR", []]);
        ok(dug.flags.includes("aa"));
        noEdns(dug);
      },
    ],
    ["8.1.3.1 CD", [...plain, "+cd", "soa", zone], soaPlain],
    ["8.1.3.2 AD", [...plain.filter((word) => word !== "+noad"), "+ad", "soa", zone], soaPlain],
    ["8.1.3.3 the reserved bit", [...plain, "+zflag", "soa", zone], soaPlain],
    [
      "8.1.3.4 recursion desired",
      ["+noedns", "+noad", "+rec", "soa", zone],
      (dug) => {
        soaPlain(dug);
        ok(dug.flags.includes("rd"));
      },
    ],
    [
      "8.1.4 an unknown opcode",
      [...plain, "+opcode=15", "+header-only", zone],
      (dug) => {
        equal(dug.status, "NOTIMP");
        deepEqual([dug.answer, dug.authority, dug.additional], [[], [], []]);
      },
    ],
    ["8.2.1 EDNS", [...edns, "soa", zone], soaEdns],
    ["8.2.2 another version", [...version1, "soa", zone], badVersion],
    ["8.2.3 an unknown option", [...edns, "+ednsopt=100", "soa", zone], soaEdns],
    [
      "8.2.4 unknown flags",
      [...edns, "+ednsflags=0x40", "soa", zone],
      (dug) => {
        soaEdns(dug);
        ok(!/MBZ: 0x[^0]/.test(dug.text));
      },
    ],
    ["8.2.5 another version and option", [...version1, "+ednsopt=100", "soa", zone], badVersion],
    ["8.2.5 another version and flags", [...version1, "+ednsflags=0x40", "soa", zone], badVersion],
    [
      "8.2.7 DO",
      [...edns, "+dnssec", "soa", zone],
      (dug) => {
        soaEdns(dug);
        match(dug.text, /flags: do;/);
      },
    ],
    [
      "8.2.8 options that are known",
      [...edns, "+cookie", "+nsid", "+subnet=0.0.0.0/0", "+expire", "soa", zone],
      (dug) => {
        soaEdns(dug);
        match(dug.text, /NSID: .*\("quimper"\)/);
        match(dug.text, /COOKIE: [0-9a-f]{48} \(good\)/);
      },
    ],
  ];
  const places = [
    ["IPv4", () => where],
    ["IPv6", () => where6],
  ] as const;
  for (const [family, place] of places) {
    for (const carrier of ["UDP", "TCP"] as const) {
      it(`over ${carrier} and ${family}`, async () => {
        const way = carrier === "TCP" ? ["+tcp"] : ["+notcp"];
        const ask = async ([what, words, check]: (typeof queries)[number]): Promise<void> => {
          const dug = await digAt(place(), ...way, ...words);
          match(dug.text, new RegExp(`\\(${carrier}\\)`), what);
          try {
            check(dug);
          } catch (cause) {
            throw new Error(`${what}:\n${dug.text}`, { cause });
          }
        };
        for (const query of queries) await ask(query);
        const cut = await digAt(
          ...[place(), ...way, ...edns, "+dnssec", "+bufsize=512", "+ignore"],
          ...["big.mesh.example", "TXT"],
        );
        equal(cut.flags.includes("tc"), carrier === "UDP", "8.2.6 a long answer");
        match(cut.text, /EDNS: version: 0, flags: do; udp: 1232/);
      });
    }
  }
});
