/**
 * The forwarder as `dig` from Debian sees it, with BIND as the server that it asks: plain and over TLS,
 * with and without DNSSEC, while BIND is away, and for people who are none of the LAN.
 */
import { deepEqual, equal, match, ok } from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { openForwarder } from "../../daemon/dns/forward/open-forwarder.ts";
import type { UpstreamPlace } from "../../daemon/dns/forward/upstream.ts";
import { DnsServer } from "../../daemon/dns/dns-server.ts";
import { ZoneEditor } from "../../daemon/dns/zone-editor.ts";
import { silentLogger } from "../../daemon/observe/log.ts";
import { systemClock } from "../../daemon/observe/system-clock.ts";
import { parseIpPrefix } from "../../protocol/ip-prefix.ts";
import { freePort, startBind, type DebianServer } from "../dns/debian-servers.ts";
import { plainPlace, tlsPlace } from "../dns/forwarding.ts";
import { StaticSource } from "../dns/static-source.ts";
import { makeCertificate } from "../dns/test-certificate.ts";
import { waitFor } from "../wait.ts";

const run = promisify(execFile);
const [LAN, STRANGER] = ["127.0.0.2", "127.0.0.3"] as const;
const TIMEOUT_MS = 30_000;
/** More than fits into a UDP packet. */
const LONG = Array.from(
  { length: 12 },
  (_, index) => `big TXT "${String(index).padEnd(200, "x")}"`,
);
const ZONE = `$TTL 1
@ SOA ns hostmaster 1 3600 600 86400 1
@ NS ns
ns A 192.0.2.53
www A 192.0.2.80
alias CNAME www
router A 192.168.1.1
${LONG.join("\n")}
`;

describe("dig through the forwarder to BIND", () => {
  const certificate = makeCertificate("dns.test");
  let directory: string;
  let ports: { readonly plain: number; readonly tls: number };
  let bind: DebianServer;
  const nodes: DnsServer[] = [];

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "pl-forward-"));
    ports = { plain: await freePort(), tls: await freePort() };
    await mkdir(join(directory, "keys"), { recursive: true });
    await writeFile(join(directory, "server.key"), certificate.key);
    await writeFile(join(directory, "server.pem"), certificate.cert);
    for (const file of ["world.zone", "signed.zone"]) await writeFile(join(directory, file), ZONE);
    bind = await startBindThere();
  });
  after(async () => {
    await Promise.all(nodes.map((node) => node.stop()));
    await bind.stop();
    await rm(directory, { recursive: true });
  });

  function startBindThere(): Promise<DebianServer> {
    return startBind({
      ...{ port: ports.plain, directory, zone: "world.example" },
      options: `key-directory "${directory}/keys"; listen-on port ${ports.tls} tls here { 127.0.0.1; };`,
      config: [
        `tls here { key-file "${directory}/server.key"; cert-file "${directory}/server.pem"; };`,
        'zone "world.example" { type primary; file "world.zone"; };',
        'zone "signed.example" { type primary; file "signed.zone";',
        "  dnssec-policy default; inline-signing yes; };",
      ].join("\n"),
    });
  }

  /** A node whose LAN is one address. Returns what `dig` prints, asked from there or from elsewhere. */
  async function startNode(upstream: UpstreamPlace) {
    const source = new StaticSource(["quimper"]);
    const forwarder = openForwarder({
      ...{ upstreams: [upstream], zones: [], allowPrivate: [] },
      cache: { maxBytes: 1024 * 1024, staleMs: 86_400_000 },
      authorities: certificate.authorities,
      ...{ clock: systemClock, log: silentLogger },
    });
    const prefix = parseIpPrefix(`${LAN}/32`);
    if (!("bits" in prefix)) throw new Error(prefix.reason);
    const node = await DnsServer.start({
      listen: [{ address: "127.0.0.1", port: 0 }],
      views: [{ prefix, view: "lan" }],
      ...{ source, clock: systemClock, log: silentLogger, threads: 1, forwarder },
      siteName: () => "quimper",
      cookieSecrets: () => [new Uint8Array(16).fill(7)],
    });
    nodes.push(node);
    const editor = new ZoneEditor({
      view: () => source.view(),
      writer: source,
      served: () => node.served(),
      reload: () => node.reload(),
    });
    await editor.addZone("bzh.example", undefined, 0);
    await editor.edit({ action: "add", name: "www.bzh.example", type: "A", data: ["192.0.2.14"] });
    const port = String(node.listening[0]?.port ?? 0);
    return async (from: string, ...words: readonly string[]): Promise<string> => {
      const place = ["@127.0.0.1", "-p", port, "-b", from, "+tries=1", "+timeout=15"];
      const { stdout } = await run("dig", [...place, ...words]);
      return stdout;
    };
  }

  const statusOf = (text: string): string => /status: (\w+)/.exec(text)?.[1] ?? "";
  const flagsOf = (text: string): readonly string[] =>
    (/flags: ([a-z ]*);/.exec(text)?.[1] ?? "").split(" ");

  it("answers the LAN by UDP and TCP, with cookies, and says that it may be asked", async () => {
    const dig = await startNode(plainPlace(ports.plain));
    for (const way of ["+notcp", "+tcp"]) {
      const text = await dig(LAN, "alias.world.example", "A", way);
      deepEqual([statusOf(text), flagsOf(text)], ["NOERROR", ["qr", "rd", "ra"]]);
      match(text, /alias\.world\.example\.\s+\d+\s+IN\s+CNAME\s+www\.world\.example\./);
      match(text, /www\.world\.example\.\s+\d+\s+IN\s+A\s+192\.0\.2\.80/);
      match(text, /COOKIE: [0-9a-f]{48} \(good\)/);
    }
    const gone = await dig(LAN, "gone.world.example", "A");
    equal(statusOf(gone), "NXDOMAIN");
    match(gone, /AUTHORITY: 1/);
    const own = await dig(LAN, "www.bzh.example", "A");
    deepEqual(flagsOf(own), ["qr", "aa", "rd", "ra"]);
    const inside = await dig(LAN, "router.world.example", "A");
    match(inside, /EDE: 15 \(Blocked\)/);
    match(inside, /ANSWER: 0/);
  });

  it("answers nobody else, whatever it has in memory", async () => {
    const dig = await startNode(plainPlace(ports.plain));
    equal(statusOf(await dig(LAN, "www.world.example", "A")), "NOERROR");
    for (const way of ["+notcp", "+tcp"]) {
      const text = await dig(STRANGER, "www.world.example", "A", way);
      deepEqual([statusOf(text), flagsOf(text)], ["REFUSED", ["qr", "rd"]]);
      match(text, /ANSWER: 0/);
      const own = await dig(STRANGER, "www.bzh.example", "A", way);
      deepEqual([statusOf(own), flagsOf(own)], ["NOERROR", ["qr", "aa", "rd"]]);
    }
    match(await dig(STRANGER, "localhost", "A"), /status: REFUSED/);
  });

  it("brings what is longer than a packet", async () => {
    const dig = await startNode(plainPlace(ports.plain));
    const cut = await dig(LAN, "big.world.example", "TXT", "+ignore");
    ok(flagsOf(cut).includes("tc"));
    match(await dig(LAN, "big.world.example", "TXT"), /ANSWER: 12/);
  });

  it("brings signatures and proofs to those who want them, plain and over TLS", async () => {
    for (const place of [plainPlace(ports.plain), tlsPlace(ports.tls)]) {
      const dig = await startNode(place);
      await waitFor("the signatures", TIMEOUT_MS, async () =>
        (await bind.dig("www.signed.example", "A", "+dnssec")).includes("RRSIG"),
      );
      const signed = await dig(LAN, "www.signed.example", "A", "+dnssec");
      match(signed, /\sRRSIG\s+A 13 3 /);
      match(signed, /flags: do;/);
      const plain = await dig(LAN, "www.signed.example", "A");
      ok(!plain.includes("RRSIG"));
      const denied = await dig(LAN, "a.signed.example", "A", "+dnssec");
      equal(statusOf(denied), "NXDOMAIN");
      match(denied, /\sNSEC\s/);
    }
  });

  it("goes on without BIND: own names as ever, others from memory; and with it again", async () => {
    const dig = await startNode(tlsPlace(ports.tls));
    match(await dig(LAN, "www.world.example", "A"), /192\.0\.2\.80/);
    await bind.stop();
    const stale = await waitFor("the answer to expire", TIMEOUT_MS, async () => {
      const text = await dig(LAN, "www.world.example", "A");
      return text.includes("EDE: 3 (Stale Answer)") && text;
    });
    match(stale, /www\.world\.example\.\s+30\s+IN\s+A\s+192\.0\.2\.80/);
    match(await dig(LAN, "www.bzh.example", "A"), /192\.0\.2\.14/);
    equal(statusOf(await dig(LAN, "no.bzh.example", "A")), "NXDOMAIN");
    const unknown = await dig(LAN, "ns.world.example", "A");
    equal(statusOf(unknown), "SERVFAIL");
    match(unknown, /EDE: 23 \(Network Error\)/);
    bind = await startBindThere();
    await waitFor("BIND to be asked again", TIMEOUT_MS, async () =>
      (await dig(LAN, "ns.world.example", "A")).includes("192.0.2.53"),
    );
  });
});
