/** What a round costs on a real link, with TCP's payload, Noise and the muxer. */
import assert from "node:assert/strict";
import { createServer, connect, type AddressInfo, type Socket } from "node:net";
import { once } from "node:events";
import { test } from "node:test";
import { silentLogger } from "../../daemon/observe/log.ts";
import { systemClock } from "../../daemon/observe/system-clock.ts";
import type { Mesh } from "../../daemon/mesh/mesh.ts";
import type { State } from "../../daemon/state/state.ts";
import { Sync } from "../../daemon/state/sync/sync.ts";
import { Founding } from "../fakes/founding.ts";
import { startMember } from "../fakes/state-node.ts";

import { startTestMesh, TestMembership, until } from "./mesh-world.ts";

test("a round of equal nodes takes less than 1 KiB on the wire, both ways together", async (t) => {
  const founding = new Founding("wire");
  const ids = [founding.enrol("a"), founding.enrol("b")];
  const membership = new TestMembership();
  membership.mesh = founding.meshId;
  for (const id of ids) membership.members.add(id);
  const start = async (name: string): Promise<{ mesh: Mesh; sync: Sync; state: State }> => {
    const state = await startMember(name, founding.statements);
    const mesh = await startTestMesh(name, { membership });
    const sync = new Sync({
      replica: state.replica,
      transport: mesh,
      clock: systemClock,
      log: silentLogger,
      meshId: () => founding.meshId,
      isMember: () => true,
    });
    sync.start();
    return { mesh, sync, state };
  };
  const [a, b] = [await start("a"), await start("b")];
  const wire = await countedLine(portOf(b.mesh));
  try {
    a.mesh.setRoster([{ siteId: b.mesh.self, addresses: [`/ip4/127.0.0.1/tcp/${wire.port}`] }]);
    await until(() => a.sync.status()[0]?.digestEqual === true, 20_000);
    const rounds: number[] = [];
    for (let round = 0; round < 5; round++) {
      const before = wire.sizeBytes();
      const { answered } = await a.sync.askAll(10_000);
      assert.equal(answered.length, 1);
      await new Promise((resolve) => setTimeout(resolve, 300));
      rounds.push(wire.sizeBytes() - before);
    }
    // A sign of life of the link may fall into one of them.
    const [least = 0] = rounds.toSorted((x, y) => x - y);
    t.diagnostic(`${rounds.join(", ")} bytes`);
    assert.ok(least > 350 && least < 1024, `${least} bytes`);
  } finally {
    wire.close();
    for (const { mesh, sync, state } of [a, b]) {
      sync.stop();
      await mesh.stop();
      await state.close();
    }
  }
});

function portOf(mesh: Mesh): number {
  const port = mesh.addresses().map((address) => /\/tcp\/(\d+)/.exec(address)?.[1]);
  return Number(port[0]);
}

/** A TCP proxy that counts what passes, in both directions. */
async function countedLine(targetPort: number) {
  let sizeBytes = 0;
  const sockets = new Set<Socket>();
  const server = createServer((caller) => {
    const target = connect(targetPort, "127.0.0.1");
    for (const [from, to] of [
      [caller, target],
      [target, caller],
    ] as const) {
      sockets.add(from);
      from.on("error", () => from.destroy());
      from.on("close", () => to.destroy());
      from.on("data", (chunk) => {
        sizeBytes += chunk.length;
        to.write(chunk);
      });
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    sizeBytes: () => sizeBytes,
    close: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}
