/**
 * BIND, Knot and NSD as secondaries of two nodes: the first transfer, NOTIFY with TSIG, a change, a
 * partition with edits on both sides, and healing. At the end all have the same zone, and no serial
 * that anybody saw went backwards.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { promisify } from "node:util";
import {
  freePort,
  SERVER_ADDRESS,
  startBind,
  startKnot,
  startNsd,
  type DebianServer,
} from "../dns/debian-servers.ts";
import { SerialWatch, type WatchedPlace } from "../dns/serial-watch.ts";
import type { Gate } from "../gate.ts";
import { GatedMesh, upAt } from "../gated-mesh.ts";
import { withMesh, type TestMesh } from "../harness.ts";
import type { TestSite } from "../test-site.ts";
import { waitFor } from "../wait.ts";

const run = promisify(execFile);
const ZONE = "bzh.example";
/** A transfer that was lost is asked for again by NOTIFY, the last time two minutes after a change. */
const WITHIN_MS = 150_000;

/** All records of the zone, the SOA among them. */
async function zoneAt({ address, port }: WatchedPlace, key: readonly string[]): Promise<string> {
  const { stdout } = await run("dig", [
    ...[`@${address}`, "-p", String(port), ...key, ZONE, "AXFR"],
    ...["+noall", "+answer", "+onesoa"],
  ]);
  const lines = stdout.split("\n").map((line) => line.replace(/\s+/g, " ").toLowerCase());
  const records = lines.filter((line) => line.includes(` in `) && !line.startsWith(";"));
  return records.toSorted().join("\n");
}

interface Secondaries {
  readonly bind: DebianServer;
  readonly knot: DebianServer;
  readonly nsd: DebianServer;
}

/** BIND fetches from the one node, NSD from the other, Knot from both. */
async function startSecondaries(
  mesh: TestMesh,
  [quimper, brest]: readonly [TestSite, TestSite],
  ports: readonly [number, number, number],
  secret: string,
): Promise<Secondaries> {
  const plan = (name: string, port: number) => ({
    ...{ port, directory: join(mesh.directory, name), zone: ZONE },
  });
  const at = ({ address, dnsPort }: TestSite): string => `${address}@${dnsPort}`;
  const [bind, knot, nsd] = await Promise.all([
    startBind({
      ...plan("bind", ports[0]),
      config: [
        `key "friend" { algorithm hmac-sha256; secret "${secret}"; };`,
        `zone "${ZONE}" { type secondary; file "zone"; allow-notify { key friend; };`,
        `  primaries { ${quimper.address} port ${quimper.dnsPort} key friend; };`,
        "  allow-transfer { any; }; };",
      ].join("\n"),
    }),
    startKnot({
      ...plan("knot", ports[1]),
      config: [
        "key:",
        "  - id: friend",
        "    algorithm: hmac-sha256",
        `    secret: ${secret}`,
        "remote:",
        "  - id: quimper",
        `    address: ${at(quimper)}`,
        "    key: friend",
        "  - id: brest",
        `    address: ${at(brest)}`,
        "    key: friend",
        "acl:",
        "  - id: told",
        "    key: friend",
        "    action: notify",
        "  - id: fetched",
        `    address: ${SERVER_ADDRESS}`,
        "    action: transfer",
        "zone:",
        `  - domain: ${ZONE}`,
        "    master: [quimper, brest]",
        "    acl: [told, fetched]",
      ].join("\n"),
    }),
    startNsd({
      ...plan("nsd", ports[2]),
      config: [
        "key:",
        '  name: "friend"',
        "  algorithm: hmac-sha256",
        `  secret: "${secret}"`,
        "zone:",
        `  name: "${ZONE}"`,
        '  zonefile: "zone"',
        `  request-xfr: ${at(brest)} friend`,
        "  allow-notify: 0.0.0.0/0 friend",
        `  provide-xfr: ${SERVER_ADDRESS} NOKEY`,
      ].join("\n"),
    }),
  ]);
  return { bind, knot, nsd };
}

async function secondariesOfTwoNodes(t: TestContext, mesh: TestMesh): Promise<void> {
  const gates: Gate[] = [];
  const servers: DebianServer[] = [];
  const watch = new SerialWatch(ZONE);
  t.after(async () => {
    await watch.stop();
    await Promise.all(servers.map((server) => server.stop()));
    for (const gate of gates) gate.close();
  });
  const ports = [await freePort(), await freePort(), await freePort()] as const;
  const toml = ports
    .map((port) => `[[dns.secondary]]\naddress = "${SERVER_ADDRESS}:${port}"\nkey = "friend"`)
    .join("\n");
  const gated = await GatedMesh.form(mesh, ["quimper", "brest"], gates, { toml });
  const [quimper, brest] = gated.sites;
  assert.ok(quimper && brest);

  await quimper.pleach("dns", "add-zone", ZONE);
  await quimper.pleach("dns", "set", `www.${ZONE}`, "A", "192.0.2.1");
  const keyFile = join(mesh.directory, "friend.key");
  const rights = ["--transfer", "--out", keyFile];
  await quimper.pleach("dns", "keys", "add", "friend", ...rights);
  const secret = /secret "([^"]+)"/.exec(await readFile(keyFile, "utf8"))?.[1] ?? "";
  for (const site of gated.sites) {
    await waitFor(`the key at ${site.name}`, WITHIN_MS, async () => {
      const { keys } = (await site.pleach("dns", "keys", "list")) as {
        keys: { usable: boolean }[];
      };
      return keys.length === 1 && keys[0]?.usable === true;
    });
  }

  const { bind, knot, nsd } = await startSecondaries(mesh, [quimper, brest], ports, secret);
  servers.push(bind, knot, nsd);
  const seconds = Object.entries({ bind, knot, nsd }).map(([name, { port }]): WatchedPlace => ({
    name,
    address: SERVER_ADDRESS,
    port,
  }));
  const nodes = gated.sites.map(({ name, address, dnsPort }): WatchedPlace => ({
    name,
    address,
    port: dnsPort,
  }));
  const has = (server: DebianServer, name: string, data: string) =>
    waitFor(`${name} at port ${server.port}`, WITHIN_MS, async () =>
      (await server.dig("+short", `${name}.${ZONE}`, "A")).split("\n").includes(data),
    ).catch(async (cause: unknown) => {
      throw new Error(`${String(cause)}\n${await server.log()}`, { cause });
    });
  for (const server of servers) await has(server, "www", "192.0.2.1");
  watch.start([...seconds, ...nodes]);

  await brest.pleach("dns", "set", `www.${ZONE}`, "A", "192.0.2.2");
  for (const server of servers) await has(server, "www", "192.0.2.2");

  gated.cut([quimper], [brest]);
  for (const site of gated.sites) {
    await waitFor(
      `the cut at ${site.name}`,
      WITHIN_MS,
      async () => (await upAt(site)).length === 0,
    );
  }
  await quimper.pleach("dns", "set", `west.${ZONE}`, "A", "192.0.2.3");
  await quimper.pleach("dns", "set", `www.${ZONE}`, "A", "192.0.2.4");
  await brest.pleach("dns", "set", `east.${ZONE}`, "A", "192.0.2.5");
  await has(bind, "west", "192.0.2.3");
  await has(nsd, "east", "192.0.2.5");

  gated.heal();
  for (const server of servers) {
    await has(server, "west", "192.0.2.3");
    await has(server, "east", "192.0.2.5");
  }
  await waitFor(
    "one serial everywhere",
    WITHIN_MS,
    () => watch.last.size === 5 && new Set(watch.last.values()).size === 1,
  );
  const key = ["-k", keyFile];
  const zones = await Promise.all([
    ...seconds.map((place) => zoneAt(place, [])),
    ...nodes.map((place) => zoneAt(place, key)),
  ]);
  assert.ok((zones[0] ?? "").split("\n").length > 6, zones[0]);
  for (const zone of zones) assert.equal(zone, zones[0]);

  assert.deepEqual(watch.backwards, []);
}

test("three secondaries of two nodes that are cut apart end with one zone", (t) =>
  withMesh((mesh) => secondariesOfTwoNodes(t, mesh)));
