import { deepEqual, equal } from "node:assert/strict";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { after, it } from "node:test";
import { decodeMessage } from "../../../protocol/dns/decode-message.ts";
import { parseDnsName } from "../../../protocol/dns/dns-name.ts";
import { TYPE } from "../../../protocol/dns/dns-type.ts";
import { encodeMessage } from "../../../protocol/dns/encode-message.ts";
import { parseRdata } from "../../../protocol/dns/rdata.ts";
import { FakeTime } from "../../../test-mesh/fakes/clock.ts";
import { createLogger } from "../../observe/log.ts";
import type { Server } from "../ask.ts";
import { OtherServers } from "./other-servers.ts";

const ZONE = parseDnsName("mesh.example");
const WAIT_MS = 5000;
const sockets: Socket[] = [];
after(() => sockets.forEach((socket) => socket.close()));

class OtherServer {
  /** What it gives; undefined: it lets no question through. */
  serial: number | undefined;
  asked = 0;
  readonly #socket = createSocket("udp4");

  constructor(serial: number | undefined) {
    this.serial = serial;
    sockets.push(this.#socket);
    this.#socket.on("message", (packet, { address, port }) => {
      this.asked += 1;
      const question = decodeMessage(packet);
      if (this.serial === undefined || "fault" in question) return;
      const soa = `ns. root. ${this.serial} 3600 300 1209600 60`;
      const answers = [
        { owner: ZONE, type: TYPE.SOA, class: 1, ttl: 60, rdata: parseRdata(TYPE.SOA, soa) },
      ];
      const answer = encodeMessage({ ...question, response: true, answers });
      if (answer !== undefined) this.#socket.send(answer, port, address);
    });
  }

  async start(): Promise<Server> {
    this.#socket.bind(0, "127.0.0.1");
    await once(this.#socket, "listening");
    const { address, port } = this.#socket.address();
    return { address, port };
  }
}

it("waits for a node that gives no serial once, and again when it gives one", async () => {
  const time = new FakeTime();
  const lines: string[] = [];
  const others = new OtherServers(
    time.clock(),
    createLogger("info", (line) => lines.push(line)),
  );
  const [good, silent] = [new OtherServer(7), new OtherServer(undefined)];
  const servers = [await good.start(), await silent.start()];

  const first = others.whenServed(servers.slice(1), ZONE, 7, WAIT_MS);
  await time.advance(WAIT_MS + 2000);
  equal(await first, 1);

  // The clock stands still: whoever is waited for now would be waited for for ever.
  const before = silent.asked;
  equal(await others.whenServed(servers, ZONE, 7, WAIT_MS), 0);
  silent.serial = 7;
  equal(await others.whenServed(servers, ZONE, 7, WAIT_MS), 0);
  while (lines.length < 2) await new Promise((resolve) => setImmediate(resolve));
  equal(silent.asked > before, true);
  deepEqual(
    lines.map((line) => /silent|does not tell|tells us/.exec(line)?.[0]),
    ["does not tell", "tells us"],
  );
});
