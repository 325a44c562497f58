/** Zones fetched from a real server, and from servers that send what they should not. */
import { deepEqual, equal, rejects } from "node:assert/strict";
import { execFile, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { fetchZone } from "../../daemon/cli/dns/fetch-zone.ts";
import { readKey } from "../../daemon/cli/dns/read-key.ts";
import { textLine } from "../../daemon/core/zones/zone-difference.ts";
import { zoneOfRecords } from "../../daemon/cli/dns/read-zone.ts";
import { parseDnsName } from "../../protocol/dns/dns-name.ts";
import { waitFor } from "../wait.ts";

const ZONE = parseDnsName("mesh.example");
const KEY =
  'key "friend" { algorithm hmac-sha256; secret "c2VjcmV0IG9mIHRoaXJ0eS10d28gYnl0ZXMhISE="; };\n';
const RECORDS = 900;
let directory = "";
let knot: ChildProcess;
let port = 0;

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port: free } = server.address() as AddressInfo;
  server.close();
  return free;
}

before(async () => {
  directory = await mkdtemp(join(tmpdir(), "pleach-fetch-"));
  port = await freePort();
  const lines = Array.from({ length: RECORDS }, (_, n) => `h${n} 60 TXT "${"x".repeat(200)}"`);
  const zone = ["@ 60 SOA ns host 2026112101 1 1 1 1", "@ 60 NS ns", "ns 60 A 192.0.2.1", ...lines];
  await writeFile(join(directory, "zone"), `${zone.join("\n")}\n`);
  await writeFile(join(directory, "key"), KEY);
  await writeFile(
    join(directory, "conf"),
    `server:\n    listen: 127.0.0.1@${port}\n    rundir: ${directory}
control:\n    listen: ${directory}/sock
database:\n    storage: ${directory}/db
key:\n  - id: friend\n    algorithm: hmac-sha256\n    secret: c2VjcmV0IG9mIHRoaXJ0eS10d28gYnl0ZXMhISE=
acl:\n  - id: friends\n    key: friend\n    action: transfer
zone:\n  - domain: mesh.example\n    file: ${directory}/zone\n    zonefile-sync: -1\n    acl: friends\n`,
  );
  knot = spawn("knotd", ["-c", join(directory, "conf")], { stdio: "ignore" });
  await waitFor("Knot", 60_000, async () => {
    const words = ["@127.0.0.1", "-p", String(port), "mesh.example", "SOA", "+short", "+tries=1"];
    const { stdout } = await promisify(execFile)("dig", words);
    return stdout.includes("2026112101") ? true : undefined;
  });
});

after(async () => {
  const ended = once(knot, "exit");
  knot.kill();
  await ended;
  await rm(directory, { recursive: true });
});

describe("a zone fetched from Knot", () => {
  const at = () => ({ address: "127.0.0.1", port });

  it("is whole, with its serial, over many signed messages", async () => {
    const fetched = await fetchZone(at(), ZONE, readKey(join(directory, "key")));
    const zone = zoneOfRecords("test", fetched, ZONE);
    equal(zone.records.length, RECORDS + 3);
    const soa = zone.records.map(textLine).find(({ type }) => type === "SOA");
    equal(soa?.data, "ns.mesh.example. host.mesh.example. 2026112101 1 1 1 1");
  });

  it("is refused without the key, and with another secret", async () => {
    await rejects(fetchZone(at(), ZONE, undefined), /answered NOTAUTH|answered REFUSED/);
    const key = readKey(join(directory, "key"));
    const other = { ...key, secret: Uint8Array.of(...key.secret.subarray(1), 0) };
    await rejects(fetchZone(at(), ZONE, other), { code: "E-DNS-ASK" });
  });
});

describe("a server that is none", () => {
  /** Answers a question with these messages, its id put in, and closes. */
  async function against(messages: (id: Buffer) => Buffer[], pattern: RegExp): Promise<void> {
    const server: Server = createServer((socket) => {
      socket.on("error", () => {});
      socket.once("data", (question: Buffer) => {
        for (const message of messages(question.subarray(2, 4))) socket.write(message);
        socket.end();
      });
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const place = { address: "127.0.0.1", port: (server.address() as AddressInfo).port };
    await rejects(fetchZone(place, ZONE, undefined), pattern);
    server.close();
  }

  const name = Buffer.from("\x04mesh\x07example\0", "latin1");
  const soa = Buffer.concat([
    ...[name, Buffer.from("000600010000003c0016", "hex"), Buffer.alloc(22)],
  ]);
  const message = (id: Buffer, answers: readonly Buffer[], flags = "8400"): Buffer => {
    const counts = Buffer.from([0, 0, 0, answers.length, 0, 0, 0, 0]);
    const bytes = Buffer.concat([id, Buffer.from(flags, "hex"), counts, ...answers]);
    return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 255]), bytes]);
  };

  it("is told apart", async () => {
    await against(() => [], /broke the transfer off/);
    await against((id) => [message(id, [soa])], /broke the transfer off/);
    await against((id) => [message(id, [], "8405")], /answered REFUSED/);
    await against(() => [Buffer.from("0003000000", "hex")], /sent no DNS message/);
    await against(
      (id) => [message(Buffer.of((id[0] ?? 0) ^ 1, id[1] ?? 0), [soa])],
      /another message/,
    );
    await against((id) => [message(id, [soa, soa, soa])], /after the end of the zone/);
    const changed = Buffer.from(soa).fill(1, soa.length - 20);
    await against((id) => [message(id, [soa, changed])], /changed the zone in the middle/);
    const a = Buffer.concat([name, Buffer.from("000100010000003c0003010203", "hex")]);
    await against((id) => [message(id, [a])], /began without the SOA/);
    await against((id) => [message(id, [soa, a])], /sent unsound A data/);
  });

  it("gives nothing to a reader of keys either", async () => {
    await writeFile(join(directory, "bad"), 'key "a" { algorithm hmac-md5; secret "AAAA"; };');
    deepEqual(
      await Promise.resolve()
        .then(() => readKey(join(directory, "bad")))
        .catch((error: Error) => error.message.includes("hmac-md5")),
      true,
    );
  });
});
