/** The view of a client on each way in: threads, the main thread, TCP; requests tell what was chosen. */
import { deepEqual, ok } from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { connect } from "node:net";
import { test } from "node:test";
import { StaticSource } from "../../test-mesh/dns/static-source.ts";
import { waitFor } from "../../test-mesh/wait.ts";
import { parseIpPrefix } from "../../protocol/ip-prefix.ts";
import type { ZoneView } from "../../protocol/dns/zone-view.ts";
import { silentLogger } from "../observe/log.ts";
import { systemClock } from "../observe/system-clock.ts";
import { DnsServer } from "./dns-server.ts";
import type { Transactions } from "./serve.ts";
import type { ViewRule } from "./view-rules.ts";

/** An update without anything in it: a request, whatever else it may be. */
const UPDATE = Uint8Array.of(0, 1, 0x28, 0, 0, 0, 0, 0, 0, 0, 0, 0);

/** Answers every request with the name of the asker's view. */
const teller: Transactions = {
  async *serve(_packet, { view }) {
    yield Uint8Array.from(Buffer.from(view));
  },
  guarded: () => [],
};

function rule(text: string, view: ZoneView): ViewRule {
  const prefix = parseIpPrefix(text);
  ok("bits" in prefix);
  return { prefix, view };
}

async function askUdp(from: string, to: string, port: number): Promise<string> {
  const socket = createSocket(to.includes(":") ? "udp6" : "udp4");
  socket.bind(0, from);
  await once(socket, "listening");
  const answered = once(socket, "message") as Promise<[Buffer]>;
  socket.send(UPDATE, port, to);
  const [answer] = await answered;
  socket.close();
  return answer.toString();
}

async function askTcp(localAddress: string, host: string, port: number): Promise<string> {
  const socket = connect({ localAddress, host, port });
  const size = Buffer.alloc(2);
  size.writeUInt16BE(UPDATE.length);
  socket.end(Buffer.concat([size, UPDATE]));
  const parts: Buffer[] = [];
  for await (const part of socket as AsyncIterable<Buffer>) parts.push(part);
  return Buffer.concat(parts).subarray(2).toString();
}

/** Client, address that is asked, what is expected. */
const CASES: readonly (readonly [string, string, ZoneView])[] = [
  ["127.0.0.1", "127.0.0.1", "public"],
  ["127.0.0.2", "127.0.0.1", "mesh"],
  ["127.0.0.3", "127.0.0.1", "lan"],
  ["127.0.0.1", "127.0.0.2", "lan"],
  ["127.0.0.2", "127.0.0.3", "public"],
  ["::1", "::1", "mesh"],
];

for (const threads of [0, 1]) {
  test(
    `address and network choose the view, ${threads} threads`,
    { timeout: 60_000 },
    async (t) => {
      const server = await DnsServer.start({
        listen: [
          { address: "127.0.0.1", port: 0 },
          { address: "127.0.0.2", port: 0, view: "lan" },
          { address: "127.0.0.3", port: 0, view: "public" },
          { address: "::1", port: 0 },
        ],
        views: [rule("127.0.0.2/31", "mesh"), rule("127.0.0.3/32", "lan"), rule("::/0", "mesh")],
        source: new StaticSource(["quimper"]),
        ...{ threads, transactions: teller, clock: systemClock, log: silentLogger },
        siteName: () => "quimper",
        cookieSecrets: () => [],
      });
      t.after(() => server.stop());
      const ports = new Map(server.listening.map(({ address, port }) => [address, port]));
      const told = async (ask: typeof askUdp): Promise<[string, string, string][]> => {
        const views: [string, string, string][] = [];
        for (const [from, to] of CASES)
          views.push([from, to, await ask(from, to, ports.get(to) ?? 0)]);
        return views;
      };
      deepEqual(await told(askUdp), CASES);
      deepEqual(await told(askTcp), CASES);
      server.setViews([rule("127.0.0.1/32", "lan")]);
      const after = CASES.map(([from, to, view]) => {
        if (to !== "127.0.0.1" && to !== "::1") return [from, to, view];
        return [from, to, from === "127.0.0.1" ? "lan" : "public"];
      });
      // A thread takes the change when it has answered what came before.
      await waitFor("the changed views", 30_000, async () => {
        deepEqual(await told(askUdp), after);
        return true;
      });
      deepEqual(await told(askTcp), after);
    },
  );
}
