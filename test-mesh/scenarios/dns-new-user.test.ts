/**
 * DNS as a new user sets it up, by the README and the guide: a zone from BIND, a service with three
 * addresses, who sees which, why, and what leads a LAN there.
 *
 * Two sites with an uplink, a laptop on the LAN of one, and a stranger; port 53 everywhere.
 */
import { deepEqual, equal, match, ok } from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { TestMesh } from "../harness.ts";
import { Namespaces } from "../network/namespaces.ts";
import { TestSite } from "../test-site.ts";
import { waitFor } from "../wait.ts";

const WAIT_MS = 60_000;
const ZONE_FILE = `
$TTL 1h
$ORIGIN entraide.example.
@       IN SOA ns1 hostmaster (
                2026112101 ; serial
                7200 3600 1209600 300 )
        IN NS  ns1
        IN MX  10 mail
ns1     IN A   203.0.113.53
mail    IN A   203.0.113.25
www     IN A   203.0.113.80
        IN AAAA 2001:db8::80
ftp     IN CNAME www
*.dev   IN A   203.0.113.99
`;

describe("a new user's DNS", () => {
  const machines = new Namespaces();
  let mesh: TestMesh;
  let quimper: TestSite;
  let brest: TestSite;
  let dnsmasq: ChildProcess | undefined;

  before(async () => {
    for (const name of ["quimper", "brest", "laptop", "stranger"]) machines.add(name);
    machines.cable("lan0", ["quimper", "192.168.77.2/24"], ["laptop", "192.168.77.3/24"]);
    machines.cable("wan0", ["quimper", "10.66.0.1/24"], ["brest", "10.66.0.2/24"]);
    machines.cable("net0", ["brest", "198.51.100.2/24"], ["stranger", "198.51.100.3/24"]);
    mesh = await TestMesh.create();
    quimper = await siteAt("quimper", "10.66.0.1", ["192.168.77.2:53", "10.66.0.1:53"]);
    brest = await siteAt("brest", "10.66.0.2", ["10.66.0.2:53", "198.51.100.2:53"]);
    await Promise.all([quimper.start(), brest.start()]);
    await mesh.found(quimper);
    await mesh.join(quimper, brest);
  });
  after(async () => {
    dnsmasq?.kill("SIGKILL");
    await mesh.close();
    machines.remove();
  });

  async function siteAt(
    name: string,
    address: string,
    listen: readonly string[],
  ): Promise<TestSite> {
    const directory = join(mesh.directory, name);
    await mkdir(directory, { mode: 0o750 });
    const views = ["[dns.views]", 'lan = ["192.168.77.0/24"]', 'mesh = ["10.66.0.0/24"]'];
    const node = machines.nodeOf(name, mesh.directory);
    const options = { node, dnsListen: JSON.stringify(listen), toml: views.join("\n") };
    const site = await TestSite.create({ name, directory, address, options });
    mesh.sites.push(site);
    return site;
  }
  /** What a person sees, words and all. */
  const typed = async (site: TestSite, ...words: readonly string[]) => {
    const { exit, stdout, stderr } = await site.run(words);
    equal(exit, 0, stderr);
    return { stdout, stderr };
  };
  const dig = (machine: string, server: string, name: string, type = "A"): string =>
    machines.run(machine, "dig", `@${server}`, name, type, "+short", "+timeout=30").trim();

  it("takes a zone over from a file of BIND, serial included", async () => {
    const file = join(mesh.directory, "db.entraide.example");
    await writeFile(file, ZONE_FILE);
    const { stdout } = await typed(
      quimper,
      "dns",
      "import",
      file,
      "--zone",
      "entraide.example",
      "--yes",
    );
    // What brest tells of itself at about this time counts as a change.
    const laterThanFile = (serial: RegExp, text: string): void =>
      ok(Number(serial.exec(text)?.[1]) >= 2026112101, text);
    laterThanFile(/^entraide\.example: 9 written, 0 removed\. It has serial (\d+)\.$/m, stdout);
    match(stdout, /pleach dns undo [0-9a-f]{8}/);
    const listed = (await typed(quimper, "dns", "zones")).stdout;
    laterThanFile(/^entraide\.example +(\d+) /m, listed);
    equal(
      dig("laptop", "192.168.77.2", "ftp.entraide.example"),
      "www.entraide.example.\n203.0.113.80",
    );
    equal(dig("laptop", "192.168.77.2", "new.dev.entraide.example"), "203.0.113.99");
  });

  it("shows a service to the LAN, to another site and to the public, each at its address", async () => {
    const { stdout } = await typed(
      quimper,
      ...["service", "add", "wiki", "--address", "203.0.113.7", "--mesh-address", "10.66.0.1"],
      ...["--lan-address", "192.168.77.14", "--port", "https:443"],
    );
    match(stdout, /^Service wiki added\.$/m);
    const wiki = "wiki.entraide.example";
    equal(dig("laptop", "192.168.77.2", wiki), "192.168.77.14");
    await waitFor("the service at brest", WAIT_MS, () => dig("brest", "10.66.0.2", wiki) !== "");
    equal(dig("brest", "10.66.0.2", wiki), "10.66.0.1");
    equal(dig("stranger", "198.51.100.2", wiki), "203.0.113.7");
    const srv = dig("laptop", "192.168.77.2", `_https._tcp.${wiki}`, "SRV");
    equal(srv, `0 0 443 wiki.quimper.entraide.example.`);
  });

  it("says why", async () => {
    const explain = async (site: TestSite, ...words: readonly string[]): Promise<string> =>
      (await typed(site, "dns", "explain", "wiki.entraide.example", ...words)).stdout;
    const lan = await explain(quimper, "--from", "192.168.77.3");
    match(lan, /NOERROR \(zone entraide\.example, serial \d+, view lan\)/);
    match(lan, /192\.168\.77\.3 is in 192\.168\.77\.0\/24, so it sees the view lan/);
    match(
      lan,
      /answer +wiki\.entraide\.example\. +60 +A +192\.168\.77\.14 .*service wiki at quimper/,
    );
    match(lan, /public: +NOERROR, A 203\.0\.113\.7/);
    match(await explain(brest, "--from", "10.66.0.1"), /answer +\S+ +60 +A +10\.66\.0\.1 /);
  });

  it("prints the drop-in for systemd-resolved, how to go on, and the way back", async () => {
    const { stdout, stderr } = await typed(quimper, "dns", "integrate");
    deepEqual(stdout.trimEnd().split("\n").slice(1), [
      "[Resolve]",
      "DNS=192.168.77.2",
      "Domains=~entraide.example",
    ]);
    match(stderr, /belongs into \/etc\/systemd\/resolved\.conf\.d\/pleach\.conf/);
    match(stderr, /resolvectl query --type=SOA entraide\.example\nTo take it back:\n {2}rm /);
    ok(!stderr.includes('view "'), "the LAN sees what it should");
    match((await typed(brest, "dns", "integrate")).stderr, /shown the view "mesh"/);
  });

  it("leads a resolver of the LAN to it", async () => {
    const { stdout } = await typed(quimper, "dns", "integrate", "--for", "dnsmasq");
    const file = join(mesh.directory, "dnsmasq.conf");
    await writeFile(file, `no-resolv\nno-hosts\nuser=root\nstop-dns-rebind\n${stdout}`);
    dnsmasq = machines.spawn("laptop", "dnsmasq", "-k", "-C", file);
    const answer = await waitFor("dnsmasq on the laptop", WAIT_MS, () =>
      dig("laptop", "127.0.0.1", "wiki.entraide.example"),
    );
    equal(answer, "192.168.77.14");
  });
});
