/** Peers that keep no rule: what they can cost a node, and that the others do not notice. */
import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { test } from "node:test";
import type { Stream } from "@libp2p/interface";
import type { Mesh } from "../../daemon/mesh/mesh.ts";
import { heldBytes } from "./held-memory.ts";
import { linkAll, rosterOf, siteIdOf, startMembers, testKey, until } from "./mesh-world.ts";
import { RawPeer } from "./raw-peer.ts";

const ECHO = "/pleach/echo/1";

async function world() {
  const { meshes, membership } = await startMembers(["a", "b"]);
  const [a, b] = meshes;
  assert.ok(a !== undefined && b !== undefined);
  a.handle(ECHO, async (channel) => {
    const frame = await channel.receive(30_000);
    if (frame !== undefined) await channel.send(frame);
  });
  return { meshes, membership, a, b };
}

async function echoes(from: Mesh, to: Mesh): Promise<void> {
  const channel = await from.open(to.self, ECHO, 5_000);
  await channel.send(Uint8Array.of(1));
  assert.deepEqual(await channel.receive(5_000), Uint8Array.of(1));
  await channel.end();
}

test("a member links while strangers sit on every place at the door", async () => {
  const { meshes, a, b } = await world();
  const port = Number(/\/tcp\/(\d+)/.exec(a.addresses()[0] ?? "")?.[1]);
  const sockets: Socket[] = [];
  let cut = 0;
  try {
    for (let index = 0; index < 400; index++) {
      // All of 127.0.0.0/8 is this machine, so each has an address of its own.
      const localAddress = `127.1.${index % 40}.${1 + (index % 200)}`;
      const socket = connect({ port, host: "127.0.0.1", localAddress });
      socket.on("error", () => {});
      socket.on("close", () => cut++);
      sockets.push(socket);
    }
    await until(() => cut >= 400 - 64, 10_000);
    const startMs = performance.now();
    await linkAll(meshes);
    assert.ok(performance.now() - startMs < 5_000);
    await echoes(b, a);
  } finally {
    for (const socket of sockets) socket.destroy();
    await Promise.all(meshes.map((mesh) => mesh.stop()));
  }
});

test("a member gone bad is bounded in streams and frames, and the others are served", async () => {
  const { meshes, membership, a, b } = await world();
  membership.members.add(siteIdOf(testKey("bad")));
  const bad = await RawPeer.start("bad");
  try {
    await linkAll(meshes);
    const connection = await bad.dial(rosterOf([a])[0]?.addresses[0] ?? "");
    const beforeBytes = await heldBytes();
    const streams: Stream[] = [];
    for (let index = 0; index < 60; index++) {
      const opened = connection.newStream("/pleach/hello/1", {
        signal: AbortSignal.timeout(2_000),
        maxOutboundStreams: 1_000,
      });
      await opened.then(
        (stream) => streams.push(stream),
        () => undefined,
      );
    }
    await until(() => streams.filter((stream) => stream.status === "open").length <= 32, 5_000);
    const open = streams.filter((stream) => stream.status === "open");
    assert.equal(open.length, 32);
    // A head that promises 1 GiB, and then half of a frame on every stream.
    const [greedy, ...others] = open;
    greedy?.send(Uint8Array.of(0x3f, 0xff, 0xff, 0xff));
    await until(() => greedy?.status !== "open", 5_000);
    for (const stream of others) {
      stream.send(Uint8Array.of(0, 4, 0, 0));
      stream.send(new Uint8Array(200_000));
    }
    await echoes(b, a);
    assert.ok((await heldBytes()) - beforeBytes < 40 * 1024 * 1024);
    connection.abort(new Error("done"));
  } finally {
    await bad.stop();
    await Promise.all(meshes.map((mesh) => mesh.stop()));
  }
});

test("a peer that says no hello gets none of our protocols, member or not", async () => {
  const { meshes, membership, a } = await world();
  membership.members.add(siteIdOf(testKey("bad")));
  const bad = await RawPeer.start("bad");
  try {
    const connection = await bad.dial(a.addresses()[0] ?? "");
    const stream = await connection.newStream(ECHO, { signal: AbortSignal.timeout(2_000) });
    await until(() => stream.status !== "open", 5_000);
    assert.deepEqual(a.links(), []);
  } finally {
    await bad.stop();
    await Promise.all(meshes.map((mesh) => mesh.stop()));
  }
});
