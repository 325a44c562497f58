/** What `pleach dns export` prints, read by the checkers of BIND and Knot. */
import { equal, match, ok } from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import type { Zone } from "../../daemon/core/zones/zone.ts";
import { buildZones } from "../../daemon/core/zones/zone-build.ts";
import { ZoneEditor } from "../../daemon/dns/zone-editor.ts";
import { exportZone } from "../../daemon/dns/zone-report.ts";
import { siteIdOf, StaticSource } from "../dns/static-source.ts";

const run = promisify(execFile);
const HEX32 = "0a".repeat(32);
const source = new StaticSource(["quimper"]);
let directory = "";
let file = "";

function served(): readonly Zone[] {
  const ownSite = source.siteId;
  const sites = [{ siteId: ownSite, name: "quimper" }];
  return buildZones({ view: source.view(), ownSite, sites, serialOffset: 64, othersHash: () => 0 });
}

const RECORDS: readonly (readonly [name: string, type: string, data: string])[] = [
  ["www.mesh.example", "A", "192.0.2.1"],
  ["www.mesh.example", "AAAA", "2001:db8::1"],
  ["alias.mesh.example", "CNAME", "www"],
  ["mesh.example", "MX", "10 www"],
  ["mesh.example", "TXT", 'quotes " and \\ and é; and more'],
  ["mesh.example", "CAA", '0 issue "letsencrypt.org; validationmethods=dns-01"'],
  ["_sip._tcp.mesh.example", "SRV", "0 5 5060 www"],
  [
    "www.mesh.example",
    "HTTPS",
    '1 . alpn="h2,h3" port=8443 ipv4hint=192.0.2.1 ipv6hint=2001:db8::1',
  ],
  ["_8443._foo.mesh.example", "SVCB", '16 www mandatory=alpn alpn=h2 key667="\\001x"'],
  ["_443._tcp.www.mesh.example", "TLSA", `3 1 1 ${HEX32}`],
  ["www.mesh.example", "SSHFP", `4 2 ${HEX32}`],
  ["mesh.example", "NAPTR", '100 50 "s" "SIP+D2U" "" _sip._tcp'],
  ["moved.mesh.example", "DNAME", "www"],
  ["sub.mesh.example", "NS", "ns.example.net."],
  ["sub.mesh.example", "DS", `12345 13 2 ${HEX32}`],
  ["*.wild.mesh.example", "PTR", "www"],
  ["dot\\.in\\.label.mesh.example", "TXT", "odd"],
  ["_https._tcp.mesh.example", "URI", '10 1 "https://mesh.example/"'],
  ["odd.mesh.example", "TYPE65280", "\\# 3 010203"],
  ["here.mesh.example", "LOC", "48 0 20 N 4 6 0 W 30m"],
  ["here.mesh.example", "HINFO", '"amd64" "Debian"'],
  ["here.mesh.example", "RP", "someone.mesh.example. ."],
  ["here.mesh.example", "AFSDB", "1 www"],
  ["here.mesh.example", "KX", "10 www"],
  ["here.mesh.example", "CERT", "1 0 0 AAEC"],
  ["here.mesh.example", "SPF", '"v=spf1 -all"'],
  ["here.mesh.example", "DHCID", "AAIBY2/AuCccgoJbsaxcQc9TUapptP69lOjxfNuVAA2kjEA="],
  ["here.mesh.example", "RT", "2 www"],
  ["here.mesh.example", "PX", "50 www www"],
  ["here.mesh.example", "X25", '"311061700956"'],
  ["here.mesh.example", "EUI48", "00-00-5e-00-53-2a"],
  ["here.mesh.example", "EUI64", "00-00-5e-ef-10-00-00-2a"],
  ["here.mesh.example", "NID", "10 0014:4fff:ff20:ee64"],
  ["here.mesh.example", "L32", "10 192.0.2.1"],
  ["here.mesh.example", "L64", "10 2001:0db8:1140:1000"],
  ["here.mesh.example", "LP", "10 www"],
  ["here.mesh.example", "SMIMEA", `3 1 1 ${HEX32}`],
  ["here.mesh.example", "OPENPGPKEY", "AAEC"],
  ["here.mesh.example", "APL", "\\# 7 00010803c00002"],
  ["here.mesh.example", "IPSECKEY", "\\# 6 0a0000010203"],
  ["mesh.example", "CSYNC", "66 3 A NS AAAA"],
  ["sub.mesh.example", "CDS", `12345 13 2 ${HEX32}`],
  ["key.mesh.example", "DNSKEY", `257 3 13 ${Buffer.alloc(64, 7).toString("base64")}`],
];

before(async () => {
  directory = await mkdtemp(join(tmpdir(), "pleach-zone-"));
  file = join(directory, "mesh.example.zone");
  const dns = [{ address: "192.0.2.1", port: 53 }];
  source.put("site", "node", { addresses: [], version: "1", dns }, siteIdOf("quimper"));
  const editor = new ZoneEditor({
    view: () => source.view(),
    writer: source,
    served,
    reload: () => {},
  });
  await editor.addZone("mesh.example", undefined, 0);
  for (const [name, type, data] of RECORDS) {
    await editor.edit({ action: "add", name, type, data: [data] });
  }
  const mesh = { view: "mesh" } as const;
  for (const place of [
    mesh,
    { view: "lan" } as const,
    { view: "lan", site: source.siteId } as const,
  ]) {
    const soa = ". host.mesh.example. 0 7200 300 1209600 30";
    const edits = [
      ["www.mesh.example", "A", `10.0.0.${place.view.length}`],
      [`${place.view}.mesh.example`, "CNAME", "www"],
      ["mesh.example", "SOA", soa],
      ["mesh.example", "NS", "ns.mesh.example."],
      ["ns.mesh.example", "A", "10.0.0.53"],
    ] as const;
    for (const [name, type, data] of edits) {
      await editor.edit({ action: "set", name, type, data: [data], place });
    }
  }
  const [zone] = served();
  ok(zone !== undefined);
  equal(zone.warnings.length, 0, zone.warnings.join(" "));
  await writeFile(file, exportZone(zone, "public"));
  for (const view of ["mesh", "lan"] as const) {
    await writeFile(join(directory, view), exportZone(zone, view));
  }
});

after(() => rm(directory, { recursive: true }));

describe("an exported zone", () => {
  it("is sound to named-checkzone, with every record in it", async () => {
    const { stdout, stderr } = await run("named-checkzone", [
      "-i",
      "local",
      "-D",
      "mesh.example",
      file,
    ]);
    match(stderr, /loaded serial 64/);
    match(stderr, /^OK$/m);
    for (const [name, type] of RECORDS) {
      const owner = name.replaceAll(/[.*\\]/g, "\\$&");
      match(stdout, new RegExp(`^${owner}\\.\\s+300\\s+IN\\s+${type}\\s`, "m"));
    }
  });

  it("is sound to kzonecheck", async () => {
    const { stdout, stderr } = await run("kzonecheck", ["-o", "mesh.example", file]);
    equal(`${stdout}${stderr}`.trim(), "");
  });

  it("is sound to both in every view, and says what that shows", async () => {
    for (const view of ["mesh", "lan"] as const) {
      const path = join(directory, view);
      const words = ["-i", "local", "-D", "mesh.example", path];
      const { stdout, stderr } = await run("named-checkzone", words);
      match(stderr, /^OK$/m);
      // Printed once for all of its records.
      match(
        stdout,
        new RegExp(`^www\\.mesh\\.example\\.[^]*?\\sIN A\\s+10\\.0\\.0\\.${view.length}$`, "m"),
      );
      // That of the server of the site.
      equal([...stdout.matchAll(/\sIN A\s+192\.0\.2\.1$/gm)].length, 1);
      const knot = await run("kzonecheck", ["-o", "mesh.example", path]);
      equal(`${knot.stdout}${knot.stderr}`.trim(), "");
    }
  });
});
