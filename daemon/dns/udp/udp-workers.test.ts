import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { describe, it } from "node:test";
import { decode, encode } from "dns-packet";
import { zoneOfLines } from "../../../test-mesh/dns/zone-lines.ts";
import { silentLogger } from "../../observe/log.ts";
import { countLabels, parseDnsName } from "../../../protocol/dns/dns-name.ts";
import { wholeZone } from "../../core/zones/zone-delta.ts";
import type { Client } from "../client.ts";
import type { Serve } from "../serve.ts";
import { UdpWorkers, type UdpWorkersOptions } from "./udp-workers.ts";
import { marksOf } from "../zone-node.ts";
import { pathOf, type ServedDelta } from "../zone-tree.ts";
import { encodeDeltas, readDeltas } from "./zone-snapshot.ts";

const zone = (address: string) =>
  zoneOfLines(`
example. 300 IN SOA ns.example. h.example. 7 3600 300 1209600 60
example. 300 IN NS ns.example.
www.example. 300 IN A ${address}
www.example. 300 IN A 192.0.2.200
sub.example. 300 IN NS ns.sub.example.
*.wild.example. 60 IN TXT "a" "b"
alias.example. 60 IN DNAME example.net.
`);

const nobody: Serve = {
  respond: () => "silence",
  async *request() {},
};

async function start(options: Partial<UdpWorkersOptions> = {}): Promise<UdpWorkers> {
  const workers = await UdpWorkers.start({
    listen: [{ address: "127.0.0.1", port: 0 }],
    views: [],
    ...{ threads: 1, answersPerSecond: 200, seed: 1, serve: nobody },
    log: silentLogger,
    ...options,
  });
  if (workers === undefined) throw new Error("koffi does not work here");
  return workers;
}

/** Sends packets to a port of this machine until each was answered; the answers by their ids. */
async function ask(
  packets: readonly Buffer[],
  port: number,
  address = "127.0.0.1",
): Promise<Map<number, Buffer>> {
  const socket = createSocket(address.includes(":") ? "udp6" : "udp4");
  const answers = new Map<number, Buffer>();
  socket.on("message", (answer) => void answers.set(answer.readUInt16BE(0), answer));
  socket.bind(0, address);
  await once(socket, "listening");
  const deadline = Date.now() + 30_000;
  while (answers.size < packets.length && Date.now() < deadline) {
    // A packet that a full buffer has lost is sent again.
    for (const packet of packets) {
      if (!answers.has(packet.readUInt16BE(0))) socket.send(packet, port, address);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  await new Promise<void>((resolve) => socket.close(resolve));
  return answers;
}

const question = (id: number, name = "www.example") =>
  encode({ type: "query", id, questions: [{ name, type: "A" }] });

const addressesIn = (answer: Buffer | undefined) =>
  decode(answer ?? Buffer.alloc(12)).answers?.map((each) => (each.type === "A" ? each.data : ""));

describe("changes as bytes", () => {
  it("come back as they were, but for where records come from", () => {
    const zones = [zone("192.0.2.1"), zoneOfLines("b. 1 IN SOA . . 1 2 3 4 5\n")];
    const gone = { kind: "gone", apex: parseDnsName("gone.example.") } as const;
    const deltas = [...zones.map(wholeZone), gone];
    const steps = readDeltas(encodeDeltas(deltas));
    let step = steps.next();
    while (step.done !== true) step = steps.next();
    const bare = (all: readonly ServedDelta[]) =>
      all.map((delta) => {
        if (delta.kind === "gone") return delta;
        const { kind, apex, serial, whole, names } = delta;
        const shown = names.map((name) => {
          const { owner, served, existsIn } = name;
          const path = name.path ?? pathOf(owner).slice(countLabels(apex));
          return { owner, served, existsIn, path, marks: name.marks ?? marksOf(name) };
        });
        return { kind, apex, serial, whole, names: shown };
      });
    equal(JSON.stringify(bare(step.value)), JSON.stringify(bare(deltas)));
  });
});

describe("threads that answer UDP", () => {
  it("answer from the zones that they were given last, on every address", async () => {
    const listen = ["127.0.0.1", "::1"].map((address) => ({ address, port: 0 }));
    const workers = await start({ listen, threads: 2 });
    try {
      for (const address of ["192.0.2.1", "192.0.2.2"]) {
        await workers.serve([wholeZone(zone(address))]);
        for (const [index, { address: own }] of listen.entries()) {
          const packets = Array.from({ length: 200 }, (_, id) => question(id));
          const answers = await ask(packets, workers.ports[index] ?? 0, own);
          equal(answers.size, 200);
          for (const answer of answers.values()) {
            deepEqual(addressesIn(answer), [address, "192.0.2.200"]);
          }
        }
      }
    } finally {
      await workers.stop();
    }
  });

  it("let what comes before the first zones wait for them", async () => {
    const workers = await start();
    const socket = createSocket("udp4");
    try {
      const answered = once(socket, "message");
      await new Promise<unknown>((sent) => {
        socket.send(question(5), workers.ports[0] ?? 0, "127.0.0.1", sent);
      });
      await workers.serve([wholeZone(zone("192.0.2.7"))]);
      const [answer] = (await answered) as [Buffer];
      deepEqual(addressesIn(answer), ["192.0.2.7", "192.0.2.200"]);
    } finally {
      socket.close();
      await workers.stop();
    }
  });

  it("pass requests on and send back what comes of them", async () => {
    const seen: Client[] = [];
    const serve: Serve = {
      respond: () => "silence",
      async *request(packet, client) {
        seen.push(client);
        yield Uint8Array.of(packet[0] ?? 0, packet[1] ?? 0, 0xa8, ...new Uint8Array(9));
      },
    };
    const listen = ["127.0.0.1", "::1"].map((address) => ({ address, port: 0 }));
    const workers = await start({ listen, serve });
    try {
      await workers.serve([]);
      for (const [index, { address }] of listen.entries()) {
        const update = Buffer.from(question(77));
        update[2] = 5 << 3;
        const answers = await ask([update], workers.ports[index] ?? 0, address);
        equal(answers.get(77)?.[2], 0xa8);
      }
      deepEqual([...new Set(seen.map(({ address }) => address.length))], [4, 16]);
      ok(seen.every(({ port, carrier }) => port > 0 && carrier === "udp"));
    } finally {
      await workers.stop();
    }
  });

  it("say which address is in use, and leave nothing listening", async () => {
    const first = await start();
    const port = first.ports[0] ?? 0;
    try {
      const free = { address: "127.0.0.2", port };
      await rejects(start({ listen: [free, { address: "127.0.0.1", port }] }), {
        code: "E-DNS-LISTEN",
        message: `DNS cannot listen on 127.0.0.1:${port} (UDP): the port is in use.`,
      });
      await rejects(start({ listen: [{ address: "203.0.113.99", port: 0 }] }), {
        code: "E-DNS-LISTEN",
      });
      const again = await start({ listen: [free] });
      await again.stop();
    } finally {
      await first.stop();
    }
    const after = await start({ listen: [{ address: "127.0.0.1", port }] });
    await after.stop();
  });
});
