/**
 * `nsupdate` sends the same updates to this server and to BIND: the same code has to come back, and
 * the same zone has to be left behind.
 */
import { deepEqual, equal, match, ok } from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, mkdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { freePort, SERVER_ADDRESS, startBind, type DebianServer } from "../dns/debian-servers.ts";
import { serveZones, type ServedZones } from "../dns/served-zone.ts";

const run = promisify(execFile);
const SECRET = Buffer.alloc(32, 7).toString("base64");
const KEY = `hmac-sha256:friend:${SECRET}`;
const ZONE = "mesh.example";

/** What both have at the start, beside the SOA record and the name of the one node. */
const RECORDS: readonly (readonly [name: string, type: string, data: string])[] = [
  ["mesh.example", "NS", "ns1.mesh.example."],
  ["mesh.example", "NS", "ns2.mesh.example."],
  ["ns1.mesh.example", "A", "192.0.2.1"],
  ["ns2.mesh.example", "A", "192.0.2.2"],
  ["www.mesh.example", "A", "192.0.2.10"],
  ["www.mesh.example", "A", "192.0.2.11"],
  ["www.mesh.example", "TXT", '"web"'],
  ["alias.mesh.example", "CNAME", "www.mesh.example."],
  ["mail.mesh.example", "MX", "10 WWW.mesh.example."],
  ["a.b.mesh.example", "TXT", '"deep"'],
  ["*.wild.mesh.example", "A", "192.0.2.30"],
  ["moved.mesh.example", "DNAME", "www.mesh.example."],
];

/** Each is one message; all are sent one after another, so later ones meet what earlier ones left. */
const CASES: readonly (readonly string[])[] = [
  ["prereq yxdomain www.mesh.example", "update add p1.mesh.example 300 A 192.0.2.51"],
  ["prereq yxdomain no.mesh.example", "update add p2.mesh.example 300 A 192.0.2.52"],
  ["prereq nxdomain no.mesh.example", "update add p3.mesh.example 300 A 192.0.2.53"],
  ["prereq nxdomain www.mesh.example", "update add p4.mesh.example 300 A 192.0.2.54"],
  ["prereq yxdomain b.mesh.example", "update add p5.mesh.example 300 A 192.0.2.55"],
  ["prereq nxdomain b.mesh.example", "update add p6.mesh.example 300 A 192.0.2.56"],
  ["prereq yxdomain x.wild.mesh.example", "update add p7.mesh.example 300 A 192.0.2.57"],
  ["prereq nxdomain x.wild.mesh.example", "update add p8.mesh.example 300 A 192.0.2.58"],
  ["prereq yxrrset www.mesh.example A", "update add p9.mesh.example 300 A 192.0.2.59"],
  ["prereq yxrrset www.mesh.example AAAA", "update add p10.mesh.example 300 A 192.0.2.60"],
  ["prereq yxrrset no.mesh.example A", "update add p11.mesh.example 300 A 192.0.2.61"],
  ["prereq nxrrset www.mesh.example AAAA", "update add p12.mesh.example 300 A 192.0.2.62"],
  ["prereq nxrrset www.mesh.example A", "update add p13.mesh.example 300 A 192.0.2.63"],
  ["prereq nxrrset alias.mesh.example A", "update add p14.mesh.example 300 A 192.0.2.64"],
  ["prereq yxrrset alias.mesh.example CNAME", "update add p15.mesh.example 300 A 192.0.2.65"],
  [
    "prereq yxrrset www.mesh.example A 192.0.2.10",
    "prereq yxrrset www.mesh.example A 192.0.2.11",
    "update add p16.mesh.example 300 A 192.0.2.66",
  ],
  ["prereq yxrrset www.mesh.example A 192.0.2.10", "update add p17.mesh.example 300 A 192.0.2.67"],
  [
    "prereq yxrrset www.mesh.example A 192.0.2.10",
    "prereq yxrrset www.mesh.example A 192.0.2.11",
    "prereq yxrrset www.mesh.example A 192.0.2.12",
    "update add p18.mesh.example 300 A 192.0.2.68",
  ],
  [
    "prereq yxrrset mail.mesh.example MX 10 www.MESH.example.",
    "update add p19.mesh.example 300 A 192.0.2.69",
  ],
  ["prereq yxrrset www.mesh.example TXT web", "update add p20.mesh.example 300 A 192.0.2.70"],
  ["prereq yxrrset www.mesh.example TXT Web", "update add p21.mesh.example 300 A 192.0.2.71"],
  ["prereq yxrrset mesh.example SOA", "update add p22.mesh.example 300 A 192.0.2.72"],
  ["prereq nxdomain other.example", "update add p23.mesh.example 300 A 192.0.2.73"],
  [
    "prereq yxdomain www.mesh.example",
    "prereq nxdomain www.mesh.example",
    "update add p24.mesh.example 300 A 192.0.2.74",
  ],
  [
    "prereq nxdomain www.mesh.example",
    "prereq yxdomain no.mesh.example",
    "update delete www.mesh.example",
  ],
  ["prereq yxdomain moved.mesh.example"],
  ["prereq nxdomain moved.mesh.example"],
  ["update add other.example 300 A 192.0.2.80"],
  ["update add www.mesh.example 300 A 192.0.2.10"],
  ["update add www.mesh.example 60 A 192.0.2.10"],
  ["update add www.mesh.example 300 CNAME ns1.mesh.example."],
  ["update add alias.mesh.example 300 A 192.0.2.81"],
  ["update add alias.mesh.example 300 CNAME ns1.mesh.example."],
  ["update add moved.mesh.example 300 DNAME ns1.mesh.example."],
  ["update add mesh.example 300 CNAME www.mesh.example."],
  ["update delete no.mesh.example"],
  ["update delete www.mesh.example A 192.0.2.99"],
  ["update delete www.mesh.example A 192.0.2.10", "update add www.mesh.example 60 A 192.0.2.12"],
  ["update delete mail.mesh.example MX 10 wWw.mesh.example."],
  ["update delete mesh.example NS ns1.mesh.example."],
  ["update delete mesh.example NS ns2.mesh.example."],
  ["update delete mesh.example NS"],
  ["update delete mesh.example SOA"],
  ["update add mesh.example 300 TXT apex"],
  ["update delete mesh.example"],
  ["update delete www.mesh.example A", "update add www.mesh.example 30 AAAA 2001:db8::1"],
  ["update delete www.mesh.example", "update add www.mesh.example 300 CNAME ns1.mesh.example."],
  ["update add new.mesh.example 300 TXT one", "update delete new.mesh.example TXT one"],
  [
    "update add both.mesh.example 300 A 192.0.2.90",
    "update add both.mesh.example 300 CNAME www.mesh.example.",
  ],
  ["update add odd.mesh.example 300 TYPE65280 \\# 3 010203"],
  ["update delete odd.mesh.example TYPE65280 \\# 3 010203"],
  ["prereq yxrrset odd.mesh.example TYPE65280", "update add p25.mesh.example 300 A 192.0.2.75"],
];

let directory = "";
let ours: ServedZones;
let bind: DebianServer;

before(async () => {
  directory = await mkdtemp(join(tmpdir(), "pl-"));
  ours = await serveZones();
  await ours.editor.addZone(ZONE, undefined, 0);
  for (const [name, type, data] of RECORDS) {
    await ours.editor.edit({ action: "add", name, type, data: [data] });
  }
  const names = "**.mesh.example";
  await ours.requests.keys.add({
    ...{ name: "friend", zones: [], algorithm: "hmac-sha256", secret: SECRET },
    ...{ transfer: true, update: [{ names, types: [] }] },
  });
  const bound = join(directory, "bind");
  await mkdir(bound);
  const lines = [
    "$TTL 300",
    "mesh.example. 3600 SOA ns1.mesh.example. hostmaster.mesh.example. 1 3600 300 1209600 60",
    "quimper.node.mesh.example. 300 A 127.0.0.1",
    ...RECORDS.map((record) => record.join(" ").replace(" ", ". ")),
  ];
  await writeFile(join(bound, "zone"), `${lines.join("\n")}\n`);
  bind = await startBind({
    port: await freePort(),
    directory: bound,
    zone: ZONE,
    config: [
      `key "friend" { algorithm hmac-sha256; secret "${SECRET}"; };`,
      `zone "${ZONE}" { type primary; file "zone"; allow-update { key friend; };`,
      "  allow-transfer { key friend; }; };",
    ].join("\n"),
  });
});

after(async () => {
  await bind?.stop();
  await ours?.stop();
  await rm(directory, { recursive: true, force: true });
});

/** The code that a message is answered with. */
async function send(
  { port }: { readonly port: number },
  lines: readonly string[],
  key = KEY,
): Promise<string> {
  const file = join(directory, "update");
  const head = [`server ${SERVER_ADDRESS} ${port}`, `zone ${ZONE}`];
  await writeFile(file, `${[...head, ...lines, "send"].join("\n")}\n`);
  try {
    await run("nsupdate", ["-y", key, file]);
    return "NOERROR";
  } catch (error) {
    const text = String((error as { stderr?: string }).stderr);
    return /update failed: (\w+)/.exec(text)?.[1] ?? text;
  }
}

/** All records but the SOA, whose serials differ. */
async function zoneAt({ port }: { readonly port: number }): Promise<readonly string[]> {
  const { stdout } = await run("dig", [
    ...[`@${SERVER_ADDRESS}`, "-p", String(port), "-y", KEY, ZONE, "AXFR"],
    ...["+noall", "+answer", "+onesoa"],
  ]);
  const lines = stdout.split("\n").map((line) => line.replace(/\s+/g, " ").toLowerCase());
  ok(lines.length > 5, stdout);
  return lines
    .filter((line) => line !== "" && !line.startsWith(";") && !/ (soa|tsig) /.test(line))
    .toSorted();
}

describe("nsupdate meets the same as with BIND", () => {
  ok(CASES.length >= 40);
  for (const [index, lines] of CASES.entries()) {
    it(`${index + 1}: ${lines.join("; ")}`, async () => {
      equal(await send(ours, lines), await send(bind, lines));
      deepEqual(await zoneAt(ours), await zoneAt(bind));
    });
  }

  it("and an update of nearly 64 KiB", async () => {
    // Over TCP by itself, because no datagram holds it; 33 bytes a record.
    const lines = Array.from(
      { length: 1900 },
      (_, index) => `update add many-${index + 1000}.mesh.example 300 TXT ${"x".repeat(6)}`,
    );
    equal(await send(ours, lines), await send(bind, lines));
    const zone = await zoneAt(ours);
    ok(zone.length > lines.length);
    deepEqual(zone, await zoneAt(bind));
    const back = lines.map((line) => line.replace("add", "delete"));
    equal(await send(ours, back), await send(bind, back));
    deepEqual(await zoneAt(ours), await zoneAt(bind));
  });

  it("and an update that changes nothing leaves the serial as it is", async () => {
    const before = ours.server.zones()[0]?.serial;
    equal(await send(ours, ["update add ns1.mesh.example 300 A 192.0.2.1"]), "NOERROR");
    equal(ours.server.zones()[0]?.serial, before);
  });

  it("and a wrong secret or an unknown key changes nothing", async () => {
    const before = ours.server.zones()[0]?.serial;
    const wrong = Buffer.alloc(32, 8).toString("base64");
    for (const key of [`hmac-sha256:friend:${wrong}`, `hmac-sha256:stranger:${SECRET}`]) {
      match(await send(ours, ["update delete ns1.mesh.example"], key), /NOTAUTH|tsig/i);
    }
    equal(ours.server.zones()[0]?.serial, before);
  });

  it("and a key with scopes may change what they name only", async () => {
    const names = "_acme-challenge.**.mesh.example";
    await ours.requests.keys.add({
      ...{ name: "acme", zones: [], algorithm: "hmac-sha256", secret: SECRET },
      ...{ transfer: false, update: [{ names, types: ["TXT"] }] },
    });
    const key = `hmac-sha256:acme:${SECRET}`;
    const codes = [
      await send(ours, ["update add _acme-challenge.mesh.example 60 TXT a"], key),
      await send(ours, ["update add _acme-challenge.a.b.mesh.example 60 TXT a"], key),
      await send(ours, ["update add _acme-challenge.mesh.example 60 SPF a"], key),
      await send(ours, ["update add www.mesh.example 60 TXT a"], key),
      await send(ours, ["update delete _acme-challenge.mesh.example"], key),
      await send(ours, ["update delete ns1.mesh.example"], key),
    ];
    const [yes, no] = ["NOERROR", "REFUSED"];
    deepEqual(codes, [yes, yes, no, no, yes, no]);
  });
});
