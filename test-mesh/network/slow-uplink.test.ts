/** On an uplink of 1 Mbit/s that is full of bulk, other words still reach a peer within a second. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { startMembers, until } from "./mesh-world.ts";
import { slowLine } from "./slow-line.ts";

const LINE_BYTES_PER_SECOND = 125_000;
/** The cap finds the line's rate in the first seconds. */
const SETTLE_MS = 3_000;
const MEASURE_MS = 6_000;

test("bulk fills a slow uplink and delays nothing else by a second", async () => {
  const { meshes } = await startMembers(["a", "b"]);
  const [a, b] = meshes;
  assert.ok(a !== undefined && b !== undefined);
  const port = Number(/\/tcp\/(\d+)/.exec(b.addresses()[0] ?? "")?.[1]);
  const line = await slowLine(port, LINE_BYTES_PER_SECOND);
  let running = true;
  try {
    b.handle("/pleach/shard/1", async (channel) => {
      while ((await channel.receive(60_000)) !== undefined);
    });
    b.handle("/pleach/presence/1", async (channel) => {
      for (;;) {
        const frame = await channel.receive(60_000);
        if (frame === undefined) return;
        await channel.send(frame);
      }
    });
    a.setRoster([{ siteId: b.self, addresses: [`/ip4/127.0.0.1/tcp/${line.port}`] }]);
    await until(() => a.links().length === 1, 10_000);
    const control = await a.open(b.self, "/pleach/presence/1", 5_000);
    const bulk = [];
    for (let i = 0; i < 2; i++) {
      const channel = await a.open(b.self, "/pleach/shard/1", 5_000);
      bulk.push(
        (async () => {
          const frame = new Uint8Array(256 * 1024);
          while (running) await channel.send(frame);
        })().catch(() => undefined),
      );
    }
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    const startMs = performance.now();
    const startBytes = line.passedBytes();
    const delaysMs: number[] = [];
    while (performance.now() - startMs < MEASURE_MS) {
      const sentMs = performance.now();
      await control.send(new Uint8Array(200));
      await control.receive(20_000);
      delaysMs.push(performance.now() - sentMs);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    const seconds = (performance.now() - startMs) / 1000;
    const rate = (line.passedBytes() - startBytes) / seconds;
    const said = `delays ${delaysMs.map(Math.round).join(" ")} ms, ${Math.round(rate)} B/s`;
    assert.ok(Math.max(...delaysMs) < 1_000, said);
    assert.ok(rate > LINE_BYTES_PER_SECOND * 0.8, said);
  } finally {
    running = false;
    line.close();
    await Promise.all(meshes.map((mesh) => mesh.stop()));
  }
});
