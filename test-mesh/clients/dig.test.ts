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

async function dig(...words: readonly string[]): Promise<Dug> {
  const tuning = ["+tries=1", "+timeout=3", "+nocookie"];
  const { stdout } = await run("dig", [...where, ...tuning, ...words]);
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
  const listen = [{ address: "127.0.0.1", port: 0 }];
  const siteName = () => "quimper";
  server = await DnsServer.start({
    listen,
    source,
    clock: systemClock,
    log: silentLogger,
    siteName,
  });
  const port = server.listening[0]?.port ?? 0;
  where = ["@127.0.0.1", "-p", String(port)];
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

describe("RFC 8906 section 8", () => {
  const zone = "mesh.example";
  const soaAnswer = ({ answer }: Dug) => match(answer[0] ?? "", /^mesh\.example\. 3600 IN SOA /);

  it("plain DNS", async () => {
    for (const extra of [[], ["+cd"], ["+ad"], ["+zflag"], ["+rec"], ["+tcp"]]) {
      const dug = await dig("+noedns", "+noad", "+norec", ...extra, "soa", zone);
      equal(dug.status, "NOERROR");
      soaAnswer(dug);
      ok(dug.flags.includes("aa"));
      ok(!dug.flags.includes("ad"));
      ok(!dug.text.includes("EDNS: version"));
      ok(!/MBZ/.test(dug.text));
      equal(dug.flags.includes("rd"), extra.includes("+rec"));
      equal(dug.flags.includes("cd"), extra.includes("+cd"));
    }
    const unknown = await dig("+noedns", "+noad", "+norec", "type1000", zone);
    equal(unknown.status, "NOERROR");
    deepEqual(unknown.answer, []);
    ok(unknown.flags.includes("aa"));
    const opcode = await dig("+noedns", "+noad", "+norec", "+opcode=15", "+header-only", zone);
    equal(opcode.status, "NOTIMP");
  });

  it("EDNS", async () => {
    const plain = ["+norec", "soa", zone];
    for (const extra of [
      [],
      ["+ednsopt=100"],
      ["+ednsflags=0x40"],
      ["+dnssec"],
      ["+subnet=0.0.0.0/0"],
      ["+expire"],
    ]) {
      const dug = await dig("+edns=0", ...extra, ...plain);
      equal(dug.status, "NOERROR");
      soaAnswer(dug);
      match(dug.text, /EDNS: version: 0, flags:( do)?; udp: 1232/);
      ok(!dug.text.includes("OPT=100"));
      ok(!dug.text.includes("CLIENT-SUBNET"));
      ok(!/MBZ: 0x[^0]/.test(dug.text));
      equal(/flags: do;/.test(dug.text), extra.includes("+dnssec"));
    }
    for (const extra of [[], ["+ednsopt=100"], ["+ednsflags=0x40"]]) {
      const dug = await dig("+edns=1", "+noednsnegotiation", ...extra, ...plain);
      equal(dug.status, "BADVERS");
      match(dug.text, /EDNS: version: 0/);
      deepEqual(dug.answer, []);
    }
    const nsid = await dig("+nsid", ...plain);
    match(nsid.text, /NSID: .*\("quimper"\)/);
    const cut = await dig("+dnssec", "+bufsize=512", "+ignore", "big.mesh.example", "TXT");
    ok(cut.flags.includes("tc"));
    match(cut.text, /EDNS: version: 0, flags: do/);
  });
});
