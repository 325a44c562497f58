/** `pleach dns` as a person types it: a real command process, the real control socket and server. */
import { deepEqual, equal, match, ok } from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { dnsRoutes } from "../../daemon/control/dns-routes.ts";
import { ControlServer } from "../../daemon/control/server.ts";
import { ChangeJournal } from "../../daemon/dns/change-journal.ts";
import { DnsControl } from "../../daemon/dns/dns-control.ts";
import { DnsServer } from "../../daemon/dns/dns-server.ts";
import { silentLogger } from "../../daemon/observe/log.ts";
import { systemClock } from "../../daemon/observe/system-clock.ts";
import { FakeDisk } from "../fakes/store.ts";
import { siteIdOf, StaticSource } from "../dns/static-source.ts";

const PROGRAM = join(import.meta.dirname, "../../daemon/pleach.ts");
const source = new StaticSource(["quimper"]);
let directory = "";
let server: DnsServer;
let control: ControlServer;

interface Ending {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function pleach(...words: readonly string[]): Promise<Ending> {
  const line = [PROGRAM, "--config", join(directory, "pleach.toml"), "dns", ...words];
  return new Promise((resolve) => {
    execFile(process.execPath, line, (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === "number" ? error.code : 0, stdout, stderr });
    });
  });
}

before(async () => {
  directory = await mkdtemp(join(tmpdir(), "pleach-dns-"));
  const socketPath = join(directory, "control");
  const config = [`data = "${directory}"`, `socket = "${socketPath}"`, 'site = "quimper"'];
  await writeFile(join(directory, "pleach.toml"), `${config.join("\n")}\n`);
  const listen = [{ address: "127.0.0.1", port: 0 }];
  const log = silentLogger;
  const siteName = () => "quimper";
  const cookieSecrets = () => [];
  const node = { clock: systemClock, log, siteName, cookieSecrets };
  server = await DnsServer.start({ listen, source, ...node });
  const siteId = siteIdOf("quimper");
  const journal = await ChangeJournal.open({
    ...{ store: new FakeDisk().open(), writer: source, view: () => source.view() },
    ...{ clock: systemClock, siteId, sites: () => [] },
  });
  const dns = new DnsControl({
    server,
    source,
    journal,
    siteId,
    confirmedBy: () => [],
    writtenAtMs: () => Promise.resolve(null),
  });
  control = await ControlServer.start({ socketPath, routes: [dnsRoutes(dns)], log });
  const dnsPlaces = [{ address: "192.0.2.1", port: 53 }];
  source.put("site", "node", { addresses: [], version: "1", dns: dnsPlaces }, siteId);
});

after(async () => {
  await control.stop();
  await server.stop();
  await rm(directory, { recursive: true });
});

describe("pleach dns", () => {
  it("has nothing to lead to without a zone", async () => {
    const { code, stderr } = await pleach("integrate");
    equal(code, 1);
    match(stderr, /^error E-DNS-INTEGRATE: This mesh has no zone/);
    match(stderr, /pleach dns add-zone NAME/);
  });

  it("starts a zone, fills it, shows it and explains it", async () => {
    equal((await pleach("zones")).stdout, "No zones. Start one:  pleach dns add-zone NAME\n");
    const added = await pleach("add-zone", "mesh.example");
    match(added.stdout, /^Zone mesh\.example is served with serial \d+\.$/m);
    equal((await pleach("add", "www.mesh.example", "A", "192.0.2.9", "--ttl", "5m")).code, 0);
    equal((await pleach("set", "mesh.example", "TXT", "v=spf1 -all; really")).code, 0);
    const listed = JSON.parse((await pleach("list", "mesh.example", "--json")).stdout);
    const txt = listed.records.find(({ type }: { type: string }) => type === "TXT");
    deepEqual([txt.data, txt.ttl, txt.provisional], ['"v=spf1 -all; really"', 300, true]);
    const shown = await pleach("list", "mesh.example");
    match(shown.stdout, /^www +300 +A +192\.0\.2\.9 +quimper, provisional$/m);
    match(shown.stdout, /^@ +300 +NS +quimper\.node\.mesh\.example\. +site quimper$/m);
    const explained = await pleach("explain", "www.mesh.example", "--ask");
    match(explained.stdout, /www\.mesh\.example\. A: NOERROR \(zone mesh\.example, serial \d+/);
    match(
      explained.stdout,
      /NOERROR, authoritative\n +answer +www\.mesh\.example\. 300 A 192\.0\.2\.9/,
    );
    const missing = await pleach("explain", "nope.mesh.example");
    match(missing.stdout, /NXDOMAIN[^]*Neither nope\.mesh\.example\. nor a wildcard/);
  });

  it("prints what leads a machine here, and the words about it elsewhere", async () => {
    const place = `127.0.0.1:${server.listening[0]?.port}`;
    const { stdout, stderr } = await pleach("integrate");
    equal(stdout.replace(/^#.*\n/, ""), `[Resolve]\nDNS=${place}\nDomains=~mesh.example\n`);
    match(stderr, /^127\.0\.0\.1 is this machine alone/);
    match(stderr, /Nothing was written[^]*To take it back:\n {2}rm /);
    for (const line of stderr.split("\n")) ok(line.length <= 100, line);
    const told = JSON.parse((await pleach("integrate", "--for", "dnsmasq", "--json")).stdout);
    equal(told.file, "/etc/dnsmasq.d/pleach.conf");
    match(told.text, new RegExp(`^server=/mesh\\.example/${place.replace(":", "#")}$`, "m"));
    const router = await pleach("integrate", "--for", "router");
    equal(router.code, 1);
    match(router.stderr, /E-DNS-INTEGRATE: A LAN that its router leads here [^]*\[dns\.forward\]/);
    const openwrt = await pleach("integrate", "--for", "openwrt");
    match(openwrt.stderr, /E-DNS-INTEGRATE: A router with OpenWrt cannot reach this node/);
    match((await pleach("integrate", "--zone", "else.example")).stderr, /E-UNKNOWN.*else\.example/);
    match((await pleach("integrate", "--for", "bind")).stderr, /E-USAGE[^]*resolved, dnsmasq/);
  });

  it("prints a zone file", async () => {
    const { stdout } = await pleach("export", "mesh.example");
    match(stdout, /^\$ORIGIN mesh\.example\.\n@\t3600\tIN\tSOA\t/);
    match(stdout, /^www\t300\tIN\tA\t192\.0\.2\.9$/m);
  });

  it("refuses with one clear error, and changes nothing", async () => {
    const zonesBefore = (await pleach("zones", "--json")).stdout;
    const cases: readonly (readonly [readonly string[], RegExp])[] = [
      [
        ["add", "www.mesh.example", "A", "192.0.2.300"],
        /^error E-DNS-VALUE: "192\.0\.2\.300" is not an IPv4 address \(300 is above 255\)\.$/m,
      ],
      [
        ["add", "a..mesh.example", "A", "192.0.2.1"],
        /^error E-DNS-NAME: "a\.\.mesh\.example" is not a domain name \(label 2 is empty\)\.$/m,
      ],
      [
        ["add", "www.mesh.example", "AAAAA", "::1"],
        /^error E-DNS-TYPE: "AAAAA" is not a record type/m,
      ],
      [
        ["add", "www.else.example", "A", "192.0.2.1"],
        /^error E-DNS-ZONE: No zone of this mesh holds "www\.else\.example"\./m,
      ],
      [
        ["set", "www.mesh.example", "CNAME", "a"],
        /^error E-DNS-CONFLICT: www\.mesh\.example\. has a A record/m,
      ],
      [
        ["add", "www.mesh.example", "A", "192.0.2.1", "--ttl", "soon"],
        /^error E-DNS-TTL: "soon" is not a number of seconds\.$/m,
      ],
      [
        ["remove", "no.mesh.example", "A"],
        /^error E-DNS-RECORD: no\.mesh\.example\. has no A record\.$/m,
      ],
      [["remove-zone", "mesh.example"], /^error E-CONFIRM: /m],
      [["list", "else.example"], /^error E-DNS-ZONE: /m],
    ];
    for (const [words, says] of cases) {
      const { code, stderr, stdout } = await pleach(...words);
      ok(code !== 0, words.join(" "));
      equal(stdout, "");
      match(stderr, says);
      match(stderr, /^Nothing was changed\.$/m);
    }
    equal((await pleach("zones", "--json")).stdout, zonesBefore);
  });

  it("imports, compares, exports and takes back", async () => {
    const file = join(directory, "db.import.example");
    await writeFile(join(directory, "hosts"), "$GENERATE 1-3 host$ A 192.0.2.$\n");
    await writeFile(
      file,
      "$TTL 1h\n@ SOA ns host ( 2026112101 1h 5m 2w 60 )\n NS ns\nns A 192.0.2.53\n$INCLUDE hosts\n",
    );
    const refused = await pleach("import", file, "--yes");
    equal(refused.code, 1);
    match(refused.stderr, /E-DNS-FILE[^]*:2:1:[^]*--zone NAME/);
    const zone = ["--zone", "import.example"];
    const tried = await pleach("import", file, ...zone, "--dry-run");
    match(tried.stdout, /^\+ host3\.import\.example\. 3600 IN A 192\.0\.2\.3$/m);
    equal((await pleach("zones")).stdout.includes("import.example"), false);
    equal((await pleach("import", file, ...zone)).code, 2, "asks before it acts");
    const steps = (await pleach("import", file, ...zone, "--yes", "--json")).stdout;
    const brought = JSON.parse(steps.trim().split("\n").at(-1) ?? "");
    deepEqual([brought.added, brought.serial], [6, 2_026_112_101]);
    match((await pleach("import", file, ...zone, "--yes")).stdout, /^Nothing to do/);
    match((await pleach("diff", "import.example", file)).stdout, /says what/);
    const exported = join(directory, "exported");
    await writeFile(exported, (await pleach("export", "import.example")).stdout);
    match((await pleach("diff", "import.example", exported)).stdout, /says what/);
    await writeFile(file, "$TTL 60\n@ SOA ns host 1 1h 5m 2w 60\n NS ns\nns A 192.0.2.54\n");
    const replaced = await pleach("import", file, ...zone, "--replace", "--yes");
    const undo = /pleach dns undo ([0-9a-f]{10})/.exec(replaced.stdout)?.[1] ?? "";
    match(
      (await pleach("diff", "import.example", exported)).stdout,
      /^- ns\.import\.example\. 60 IN A/m,
    );
    match((await pleach("undo", undo)).stdout, /Zone import\.example has serial \d+/);
    match((await pleach("diff", "import.example", exported)).stdout, /says what/);
    const changes = JSON.parse((await pleach("changes", "--json")).stdout);
    deepEqual(changes.changes[0].undoes, undo);
    const again = await pleach("undo", undo);
    deepEqual([again.code, /E-DNS-UNDO/.test(again.stderr)], [1, true]);
    await writeFile(file, "@ A 1\n@ A 2\n");
    const both = await pleach("import", file, ...zone, "--yes", "--json");
    const { error } = JSON.parse(both.stdout);
    deepEqual(
      [error.code, ...error.details.map((text: string) => /:(\d+:\d+): /.exec(text)?.[1])],
      ["E-DNS-FILE", "1:5", "2:5"],
    );
    // Each on a line of its own, with the place first.
    const told = (await pleach("import", file, ...zone, "--yes")).stderr.split("\n");
    const places = told.filter((line) => line.startsWith(`  ${file}:`));
    deepEqual([places.length, told[0]], [2, `error E-DNS-FILE: ${file} has 2 mistakes:`]);
  });
});
