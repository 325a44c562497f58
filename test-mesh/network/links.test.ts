/** Links between real meshes on loopback: one for each pair, and back after every kind of loss. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import type { Clock } from "../../daemon/core/clock.ts";
import type { Mesh } from "../../daemon/mesh/mesh.ts";
import { systemClock } from "../../daemon/observe/system-clock.ts";
import {
  linkAll,
  rosterOf,
  siteIdOf,
  startMembers,
  startTestMesh,
  testKey,
  until,
} from "./mesh-world.ts";

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Lets both sides of a pair dial at the same moment: no courtesy, no other short waits. */
const hasty: Clock = {
  ...systemClock,
  after: (delayMs, callback) => systemClock.after(delayMs <= 450 ? 0 : delayMs, callback),
};

const ESTABLISHED = "01";

/** TCP connections that somebody has made to the mesh's own port. */
async function connectionsTo(mesh: Mesh): Promise<number> {
  const port = Number(/\/tcp\/(\d+)/.exec(mesh.addresses()[0] ?? "")?.[1]);
  const hexPort = port.toString(16).toUpperCase().padStart(4, "0");
  const lines = (await readFile("/proc/self/net/tcp", "utf8")).split("\n").slice(1);
  return lines.filter((line) => {
    const [, local = "", , state] = line.trim().split(/\s+/);
    return local.endsWith(`:${hexPort}`) && state === ESTABLISHED;
  }).length;
}

async function stopAll(meshes: readonly Mesh[]): Promise<void> {
  await Promise.all(meshes.map((mesh) => mesh.stop()));
}

test("both sides dial at once, and one connection remains for each pair", async () => {
  const { meshes } = await startMembers(["a", "b", "c", "d"], { clock: hasty });
  try {
    const told: string[] = [];
    for (const mesh of meshes) mesh.onLink((peer, up) => told.push(`${mesh.self} ${peer} ${up}`));
    await linkAll(meshes);
    const total = async (): Promise<number> => {
      const counts = await Promise.all(meshes.map((mesh) => connectionsTo(mesh)));
      return counts.reduce((sum, count) => sum + count, 0);
    };
    const endMs = performance.now() + 10_000;
    while ((await total()) > 6 && performance.now() < endMs) await pause(100);
    assert.equal(await total(), 6, "four members are six pairs");
    await pause(500);
    assert.equal(await total(), 6);
    assert.ok(meshes.every((mesh) => mesh.links().length === 3));
    assert.equal(told.length, 12, "each link is told once on each side");
    for (const mesh of meshes) {
      for (const detail of mesh.linkDetails()) {
        const other = meshes.find((each) => each.self === detail.peer);
        const back = other?.linkDetails().find((each) => each.peer === mesh.self);
        assert.notEqual(back?.direction, detail.direction, "both ends look at the same connection");
      }
    }
  } finally {
    await stopAll(meshes);
  }
});

test("a member that is gone for a while and comes back is linked again", async () => {
  const { meshes, membership } = await startMembers(["a", "b"]);
  const [a, b] = meshes;
  assert.ok(a !== undefined && b !== undefined);
  let again: Mesh | undefined;
  try {
    await linkAll(meshes);
    const listen = [b.addresses()[0]?.replace(/\/p2p\/.*/, "") ?? ""];
    await b.stop();
    await until(() => a.links().length === 0, 5_000);
    await pause(4_000);
    again = await startTestMesh("b", { membership, listen });
    const startedMs = performance.now();
    await until(() => a.links().length === 1, 30_000);
    assert.ok(performance.now() - startedMs < 15_000, "the longest wait is 8 s");
  } finally {
    await stopAll([a, ...(again === undefined ? [] : [again])]);
  }
});

test("a member comes back at another address, which only it knows", async () => {
  const { meshes, membership } = await startMembers(["a", "b"]);
  const [a, b] = meshes;
  assert.ok(a !== undefined && b !== undefined);
  let again: Mesh | undefined;
  try {
    await linkAll(meshes);
    await b.stop();
    again = await startTestMesh("b", { membership });
    again.setRoster(rosterOf([a]));
    await until(() => a.links().length === 1 && again?.links().length === 1, 10_000);
  } finally {
    await stopAll([a, ...(again === undefined ? [] : [again])]);
  }
});

test("a member that restarts unseen replaces its dead link, and is told as back", async () => {
  const { meshes, membership } = await startMembers(["a", "b"]);
  const [a, b] = meshes;
  assert.ok(a !== undefined && b !== undefined);
  let again: Mesh | undefined;
  try {
    await linkAll(meshes);
    const told: boolean[] = [];
    a.onLink((_peer, up) => told.push(up));
    // The first run of b keeps its connection, as if the power had gone and no word had come.
    again = await startTestMesh("b", { membership });
    again.setRoster(rosterOf([a]));
    await until(() => again?.links().length === 1, 10_000);
    assert.deepEqual(told, [false, true]);
    again.handle("/pleach/state/1", async (channel) => channel.send(Uint8Array.of(2)));
    const channel = await a.open(again.self, "/pleach/state/1", 5_000);
    assert.deepEqual(await channel.receive(5_000), Uint8Array.of(2), "it is the new run");
  } finally {
    await stopAll([a, b, ...(again === undefined ? [] : [again])]);
  }
});

test("the directory finds who provides a key, and is silent when off", async () => {
  const { meshes } = await startMembers(["a", "b", "c"], { dht: true });
  const [a, b, c] = meshes;
  assert.ok(a !== undefined && b !== undefined && c !== undefined);
  const key = new Uint8Array(32).fill(7);
  const endMs = performance.now() + 20_000;
  try {
    await linkAll(meshes);
    for (;;) {
      try {
        await a.provide(key);
        break;
      } catch (error) {
        if (performance.now() > endMs) throw error;
        await pause(500);
      }
    }
    for (const asker of [b, c]) {
      let found: readonly string[] = [];
      while (found.length === 0 && performance.now() < endMs) {
        found = await asker.findProviders(key, 3_000);
      }
      assert.deepEqual(found, [a.self]);
    }
    assert.deepEqual(await c.findProviders(new Uint8Array(32), 2_000), []);
  } finally {
    await stopAll(meshes);
  }
  const off = await startTestMesh("a");
  try {
    assert.equal(off.directory, "off");
    await off.provide(key);
    assert.deepEqual(await off.findProviders(key, 1_000), []);
  } finally {
    await off.stop();
  }
});

test("a link on which nothing is heard is cut, and made again", async () => {
  // This node's time runs 40 times as fast: what the peer says every 30 s comes after 20 minutes.
  const speed = 40;
  const clock: Clock = {
    ...systemClock,
    monotonicMs: () => systemClock.monotonicMs() * speed,
    after: (delayMs, callback) => systemClock.after(delayMs / speed, callback),
  };
  const { meshes, membership } = await startMembers(["a"]);
  const [a] = meshes;
  assert.ok(a !== undefined);
  membership.members.add(siteIdOf(testKey("b")));
  const b = await startTestMesh("b", { membership, clock });
  try {
    const told: boolean[] = [];
    b.onLink((_peer, up) => told.push(up));
    a.setRoster(rosterOf([b]));
    await until(() => told.length >= 3, 20_000);
    assert.deepEqual(told.slice(0, 3), [true, false, true]);
  } finally {
    await stopAll([a, b]);
  }
});

test("the tap sees what goes to libp2p before it is encrypted, and what comes after", async () => {
  const seen = { out: "", in: "" };
  const { meshes } = await startMembers(["a", "b"], {
    tap: (direction, _peer, bytes) => {
      seen[direction] += Buffer.from(bytes).toString("latin1");
    },
  });
  const [a, b] = meshes;
  assert.ok(a !== undefined && b !== undefined);
  try {
    b.handle("/pleach/shard/1", async (channel) => void (await channel.receive(5_000)));
    await linkAll(meshes);
    const channel = await a.open(b.self, "/pleach/shard/1", 5_000);
    await channel.send(Buffer.from("a canary sings"));
    await channel.end();
    assert.equal(await channel.receive(5_000), undefined);
    assert.match(seen.out, /a canary sings/);
    assert.match(seen.in, /a canary sings/);
  } finally {
    await stopAll(meshes);
  }
});

test("a port that is in use and an address that is none are clear errors", async () => {
  const first = await startTestMesh("a");
  const listen = [first.addresses()[0]?.replace(/\/p2p\/.*/, "") ?? ""];
  try {
    await assert.rejects(startTestMesh("b", { listen }), {
      code: "E-MESH-LISTEN",
      message: /Another program listens/,
    });
    await assert.rejects(startTestMesh("b", { listen: ["localhost:4901"] }), {
      code: "E-MESH-ADDRESS",
      message: /localhost:4901/,
    });
    await assert.rejects(first.openOutsider("/ip4/127.0.0.1/tcp/1", "/pleach/join/1", 1_000), {
      code: "E-MESH-ADDRESS",
    });
  } finally {
    await first.stop();
  }
});
