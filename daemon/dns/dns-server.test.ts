import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { after, before, describe, it } from "node:test";
import { encode, streamDecode } from "dns-packet";
import { StaticSource } from "../../test-mesh/dns/static-source.ts";
import { silentLogger } from "../observe/log.ts";
import { systemClock } from "../observe/system-clock.ts";
import { makeZoneRecord, zoneRecordJson, zoneRecordKey } from "../../protocol/dns/zone-record.ts";
import { parseDnsName } from "../../protocol/dns/dns-name.ts";
import { TYPE } from "../../protocol/dns/dns-type.ts";
import { DnsServer } from "./dns-server.ts";

const source = new StaticSource(["quimper"]);
const apex = parseDnsName("mesh.example");
let server: DnsServer;
let port = 0;

function put(name: string, type: number, data: string): void {
  const record = makeZoneRecord(apex, parseDnsName(name, apex), type, 300, data);
  source.put("zone", zoneRecordKey(record), { ...zoneRecordJson(record) });
}

function start(listen = [{ address: "127.0.0.1", port: 0 }]): Promise<DnsServer> {
  const siteName = () => "quimper";
  return DnsServer.start({
    ...{ listen, source, clock: systemClock, log: silentLogger, siteName },
    cookieSecrets: () => [],
  });
}

before(async () => {
  put("@", TYPE.SOA, ". hostmaster 0 3600 300 1209600 60");
  for (let index = 0; index < 40; index++) put("big", TYPE.TXT, `${index} ${"x".repeat(240)}`);
  server = await start();
  port = server.listening[0]?.port ?? 0;
});

after(() => server.stop());

function framed(name: string, type: "TXT" | "SOA", id: number): Buffer {
  const packet = encode({ type: "query", id, questions: [{ name, type }] });
  const size = Buffer.alloc(2);
  size.writeUInt16BE(packet.length);
  return Buffer.concat([size, packet]);
}

async function dial(): Promise<Socket> {
  const socket = connect({ port, host: "127.0.0.1" });
  socket.on("error", () => {});
  await once(socket, "connect");
  return socket;
}

/** Reads whole messages until so many have come. */
async function readMessages(socket: Socket, count: number): Promise<Buffer[]> {
  let pending = Buffer.alloc(0);
  const messages: Buffer[] = [];
  for await (const part of socket as AsyncIterable<Buffer>) {
    pending = Buffer.concat([pending, part]);
    while (pending.length >= 2 && pending.length >= pending.readUInt16BE(0) + 2) {
      const end = pending.readUInt16BE(0) + 2;
      messages.push(pending.subarray(0, end));
      pending = pending.subarray(end);
    }
    if (messages.length >= count) break;
  }
  return messages;
}

describe("the DNS server", () => {
  it("answers questions that arrive in pieces and several at once", async () => {
    const socket = await dial();
    const bytes = Buffer.concat([1, 2, 3].map((id) => framed("mesh.example", "SOA", id)));
    socket.write(bytes.subarray(0, 1));
    await new Promise((resolve) => setImmediate(resolve));
    socket.write(bytes.subarray(1, 40));
    await new Promise((resolve) => setImmediate(resolve));
    socket.write(bytes.subarray(40));
    const answers = await readMessages(socket, 3);
    deepEqual(
      answers.map((answer) => streamDecode(answer).id),
      [1, 2, 3],
    );
  });

  it("answers what was asked before the asker ended its side", async () => {
    const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    socket.end(framed("mesh.example", "SOA", 5));
    const answers = await readMessages(socket, 1);
    equal(answers.length, 1);
  });

  it("hangs up on what is not DNS", async () => {
    for (const bytes of [
      Buffer.of(0, 3, 1, 2, 3),
      Buffer.of(0xff, 0xff, 1),
      Buffer.from("GET / HTTP/1.1\r\n\r\n"),
    ]) {
      const socket = await dial();
      socket.write(bytes);
      await once(socket, "close");
    }
  });

  it("answers no faster than it is read, and answers all", async () => {
    const socket = await dial();
    socket.pause();
    const count = 300;
    socket.write(
      Buffer.concat(
        Array.from({ length: count }, (_, id) => framed("big.mesh.example", "TXT", id)),
      ),
    );
    // Three megabytes of answers wait for somebody who does not read yet.
    await new Promise((resolve) => setTimeout(resolve, 50));
    const answers = await readMessages(socket, count);
    equal(answers.length, count);
    ok(answers.every((answer) => answer.length > 9000));
  });

  it("serves a change of the state without being told to", async () => {
    const [beforeChange] = server.zones();
    put("new", TYPE.A, "192.0.2.9");
    const deadline = Date.now() + 3000;
    while (server.zones()[0]?.records === beforeChange?.records && Date.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    ok((server.zones()[0]?.serial ?? 0) > (beforeChange?.serial ?? 0));
  });

  it("says which address is in use, and leaves nothing listening", async () => {
    await rejects(start([{ address: "127.0.0.1", port }]), {
      code: "E-DNS-LISTEN",
      message: `DNS cannot listen on 127.0.0.1:${port} (UDP): the port is in use.`,
    });
    await rejects(start([{ address: "203.0.113.99", port: 0 }]), { code: "E-DNS-LISTEN" });
    const blocker = createServer();
    blocker.listen(0, "127.0.0.1");
    await once(blocker, "listening");
    const taken = (blocker.address() as { port: number }).port;
    await rejects(start([{ address: "127.0.0.1", port: taken }]), /\(TCP\): the port is in use/);
    await new Promise((resolve) => blocker.close(resolve));
    const free = await start([{ address: "127.0.0.1", port: taken }]);
    await free.stop();
  });
});
