/** Two processes, one of which reads slowly: neither keeps more than a few MiB of it in memory. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { test } from "node:test";
import { heldBytes } from "./held-memory.ts";
import { siteIdOf, startTestMesh, TestMembership, testKey, until } from "./mesh-world.ts";

const TOTAL_BYTES = 64 * 1024 * 1024;
const FRAME_BYTES = 256 * 1024;
/** Windows, buffers and frames under way on one side. */
const MAX_GROWTH_BYTES = 8 * 1024 * 1024;

test("a slow reader keeps both sides' memory flat", { timeout: 120_000 }, async (run) => {
  const script = fileURLToPath(new URL("slow-reader-peer.ts", import.meta.url));
  const child = spawn(process.execPath, [script], { stdio: ["pipe", "pipe", "inherit"] });
  const membership = new TestMembership();
  for (const name of ["fast", "slow"]) membership.members.add(siteIdOf(testKey(name)));
  const mesh = await startTestMesh("fast", { membership });
  try {
    const [line] = (await once(child.stdout, "data")) as [Buffer];
    const siteId = siteIdOf(testKey("slow"));
    mesh.setRoster([{ siteId, addresses: JSON.parse(line.toString()) as string[] }]);
    await until(() => mesh.links().length === 1, 10_000);
    const channel = await mesh.open(siteId, "/pleach/slow/1", 5_000);
    const beforeBytes = await heldBytes();
    let peakBytes = 0;
    const frame = new Uint8Array(FRAME_BYTES).fill(1);
    for (let sent = 0; sent < TOTAL_BYTES; sent += FRAME_BYTES) {
      await channel.send(frame);
      if (sent % (16 * FRAME_BYTES) === 0) peakBytes = Math.max(peakBytes, await heldBytes());
    }
    await channel.end();
    const answer = await channel.receive(60_000);
    assert.ok(answer !== undefined);
    const told = JSON.parse(Buffer.from(answer).toString()) as Record<string, number>;
    assert.equal(told["receivedBytes"], TOTAL_BYTES);
    const growth = { sender: peakBytes - beforeBytes, reader: told["growthBytes"] ?? 0 };
    const text = JSON.stringify(growth);
    run.diagnostic(`figure slow_reader.held_bytes ${text}`);
    assert.ok(growth.sender < MAX_GROWTH_BYTES && growth.reader < MAX_GROWTH_BYTES, text);
  } finally {
    child.stdin.end();
    await mesh.stop();
    if (child.exitCode === null) await once(child, "exit");
  }
});
