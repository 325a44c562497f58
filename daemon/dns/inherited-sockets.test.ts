import { deepEqual, equal, rejects } from "node:assert/strict";
import { describe, it } from "node:test";
import { once } from "node:events";
import { createRequire } from "node:module";
import { createSocket } from "node:dgram";
import { connect } from "node:net";
import { encode } from "dns-packet";
import { StaticSource } from "../../test-mesh/dns/static-source.ts";
import { silentLogger } from "../observe/log.ts";
import { systemClock } from "../observe/system-clock.ts";
import { DnsServer } from "./dns-server.ts";
import { passedFiles } from "./inherited-sockets.ts";
import type { Listen } from "./listen.ts";
import { loadSockets, type SystemSockets } from "./udp/system-sockets.ts";

function needed(): SystemSockets {
  const sockets = loadSockets();
  if (sockets === undefined) throw new Error("koffi does not work here");
  return sockets;
}

function start(listen: readonly Listen[], passed: readonly number[], threads: number) {
  return DnsServer.start({
    ...{ listen, passed, threads, source: new StaticSource(["quimper"]), clock: systemClock },
    ...{ log: silentLogger, siteName: () => "quimper", cookieSecrets: () => [] },
  });
}

const packet = encode({ type: "query", id: 7, questions: [{ name: "example", type: "A" }] });

/** As systemd does before it passes a socket. */
function listenOn(fd: number): void {
  const koffi = createRequire(import.meta.url)("koffi") as {
    load(library: string): { func(definition: string): (fd: number, backlog: number) => number };
  };
  equal(koffi.load("libc.so.6").func("int listen(int fd, int backlog)")(fd, 16), 0);
}

async function askUdp(port: number): Promise<number | undefined> {
  const socket = createSocket("udp4");
  socket.send(packet, port, "127.0.0.1");
  const [answer] = (await once(socket, "message")) as [Buffer];
  socket.close();
  return answer[3];
}

async function askTcp(port: number): Promise<number | undefined> {
  const socket = connect({ port, host: "127.0.0.1" });
  socket.write(Buffer.concat([Buffer.of(0, packet.length), packet]));
  const [answer] = (await once(socket, "data")) as [Buffer];
  socket.destroy();
  return answer[5];
}

describe("sockets that were passed", () => {
  it("are those that the environment gives this very process", () => {
    deepEqual(passedFiles({ LISTEN_FDS: "2", LISTEN_PID: "42" }, 42), [3, 4]);
    deepEqual(passedFiles({ LISTEN_FDS: "2", LISTEN_PID: "41" }, 42), []);
    deepEqual(passedFiles({ LISTEN_FDS: "x", LISTEN_PID: "42" }, 42), []);
    deepEqual(passedFiles({}, 42), []);
  });

  for (const threads of [0, 1]) {
    it(`answer in place of new ones, with ${threads} threads`, async () => {
      const sockets = needed();
      const udp = sockets.bind({ address: "127.0.0.1", port: 0 }, "udp");
      const tcp = sockets.bind({ address: "127.0.0.1", port: udp.port }, "tcp");
      listenOn(tcp.fd);
      const place = { address: "127.0.0.1", port: udp.port };
      const server = await start([place], [udp.fd, tcp.fd], threads);
      try {
        deepEqual(server.listening, [place]);
        equal(await askUdp(udp.port), 5, "REFUSED: there is no zone");
        equal(await askTcp(udp.port), 5);
      } finally {
        await server.stop();
        if (threads > 0) sockets.close(udp.fd);
      }
    });
  }

  it("that fit no address are a mistake", async () => {
    const sockets = needed();
    const { fd, port } = sockets.bind({ address: "127.0.0.1", port: 0 }, "udp");
    try {
      await rejects(start([], [fd], 1), {
        code: "E-DNS-LISTEN",
        message: `A socket for 127.0.0.1:${port} (UDP) was passed, which is not configured.`,
      });
      await rejects(start([], [0], 1), { code: "E-DNS-LISTEN" });
    } finally {
      sockets.close(fd);
    }
  });
});
