/** A member in a process of its own that reads one byte stream slowly; see slow-reader.test.ts. */
import { heldBytes } from "./held-memory.ts";
import { startTestMesh, TestMembership, siteIdOf, testKey } from "./mesh-world.ts";

const FRAME_PAUSE_MS = 4;
const CHANNEL_MS = 60_000;
const SAMPLE_EVERY_FRAMES = 16;

const membership = new TestMembership();
for (const name of ["fast", "slow"]) membership.members.add(siteIdOf(testKey(name)));
const mesh = await startTestMesh("slow", { membership });

mesh.handle("/pleach/slow/1", async (channel) => {
  const beforeBytes = await heldBytes();
  let peakBytes = 0;
  let receivedBytes = 0;
  for (let frames = 1; ; frames++) {
    const frame = await channel.receive(CHANNEL_MS);
    if (frame === undefined) break;
    receivedBytes += frame.length;
    if (frames % SAMPLE_EVERY_FRAMES === 0) peakBytes = Math.max(peakBytes, await heldBytes());
    await new Promise((resolve) => setTimeout(resolve, FRAME_PAUSE_MS));
  }
  const growthBytes = peakBytes - beforeBytes;
  await channel.send(Buffer.from(JSON.stringify({ receivedBytes, growthBytes })));
  await channel.end();
});

process.stdout.write(`${JSON.stringify(mesh.addresses())}\n`);
// Lives until its parent closes the pipe.
process.stdin.resume();
process.stdin.on("end", () => void mesh.stop().then(() => process.exit(0)));
