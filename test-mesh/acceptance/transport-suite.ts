/**
 * What every transport must do: one suite for the fake network and for the real mesh.
 *
 * It looks only at what the seam promises, so that code tested over the fake meets no surprise
 * over the real thing.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { MAX_FRAME_BYTES, type Channel, type Transport } from "../../daemon/core/transport.ts";

export interface TransportWorld {
  /** Members that are not linked yet. */
  readonly members: readonly Transport[];
  /** Links every pair; resolves when all members see all others. */
  link(): Promise<void>;
  /** Takes a member down without a word, as by kill -9. */
  stop(member: Transport): Promise<void>;
  /** The value of a promise, while the world's time passes. */
  resolve<Value>(promise: Promise<Value>): Promise<Value>;
  close(): Promise<void>;
}

const ECHO = "/pleach/echo/1";
const TIMEOUT_MS = 5_000;

/** Sends back every frame and ends when the peer does. */
async function echo(channel: Channel): Promise<void> {
  for (;;) {
    const frame = await channel.receive(TIMEOUT_MS);
    if (frame === undefined) break;
    await channel.send(frame);
  }
  await channel.end();
}

export function transportSuite(
  name: string,
  makeWorld: (memberCount: number) => Promise<TransportWorld>,
): void {
  interface Pair extends TransportWorld {
    readonly a: Transport;
    readonly b: Transport;
  }

  /** Runs a story in a world of two members, which is closed whatever happens. */
  const story = (title: string, tell: (world: Pair) => Promise<void>): void => {
    test(`${name}: ${title}`, { timeout: 60_000 }, async () => {
      const world = await makeWorld(2);
      const [a, b] = world.members;
      assert.ok(a !== undefined && b !== undefined);
      try {
        await tell({
          ...world,
          a,
          b,
          link: () => world.link(),
          stop: (member) => world.stop(member),
          resolve: (promise) => world.resolve(promise),
          close: () => world.close(),
        });
      } finally {
        await world.close();
      }
    });
  };

  story("a link shows on both sides, with the proven key, and is told once", async (world) => {
    const { a, b } = world;
    const told: string[] = [];
    a.onLink((peer, up) => told.push(`${peer} ${up}`));
    const silence = b.onLink(() => assert.fail("was ended"));
    silence();
    assert.deepEqual(a.links(), []);
    await world.link();
    assert.deepEqual([a.links(), b.links()], [[b.self], [a.self]]);
    assert.deepEqual(told, [`${b.self} true`]);
  });

  story("frames of every size arrive whole, in order, in both directions", async (world) => {
    const { a, b } = world;
    b.handle(ECHO, echo);
    await world.link();
    const channel = await world.resolve(a.open(b.self, ECHO, TIMEOUT_MS));
    assert.equal(channel.peer, b.self);
    const sizes = [0, 1, 127, 128, 16_384, 65_536, MAX_FRAME_BYTES, 3];
    const sent = sizes.map((size, index) => new Uint8Array(size).fill(index + 1));
    const sending = (async () => {
      for (const frame of sent) await channel.send(frame);
      await channel.end();
    })();
    for (const frame of sent) {
      const got = await world.resolve(channel.receive(TIMEOUT_MS));
      assert.ok(got !== undefined);
      assert.equal(Buffer.compare(got, frame), 0, `frame of ${frame.length} bytes`);
    }
    await world.resolve(sending);
    assert.equal(await world.resolve(channel.receive(TIMEOUT_MS)), undefined);
    assert.equal(await world.resolve(channel.receive(TIMEOUT_MS)), undefined, "and stays ended");
  });

  story("after our end the peer reads all that was sent and can still answer", async (world) => {
    const { a, b } = world;
    b.handle(ECHO, async (channel) => {
      let frames = 0;
      while ((await channel.receive(TIMEOUT_MS)) !== undefined) frames++;
      await channel.send(Uint8Array.of(frames));
      await channel.end();
    });
    await world.link();
    const channel = await world.resolve(a.open(b.self, ECHO, TIMEOUT_MS));
    for (let i = 0; i < 20; i++) await world.resolve(channel.send(new Uint8Array(1000)));
    await channel.end();
    assert.deepEqual(await world.resolve(channel.receive(TIMEOUT_MS)), Uint8Array.of(20));
    await assert.rejects(world.resolve(channel.send(new Uint8Array(1))), "our side has ended");
  });

  story("a frame that is too long is refused at the sender", async (world) => {
    const { a, b } = world;
    b.handle(ECHO, echo);
    await world.link();
    const channel = await world.resolve(a.open(b.self, ECHO, TIMEOUT_MS));
    await assert.rejects(world.resolve(channel.send(new Uint8Array(MAX_FRAME_BYTES + 1))));
  });

  story("a wait without a frame ends with its time", async (world) => {
    const { a, b } = world;
    b.handle(ECHO, echo);
    await world.link();
    const channel = await world.resolve(a.open(b.self, ECHO, TIMEOUT_MS));
    await assert.rejects(world.resolve(channel.receive(100)));
  });

  story("open rejects for a protocol that the peer does not speak", async (world) => {
    const { a, b } = world;
    b.handle(ECHO, echo);
    await world.link();
    await assert.rejects(world.resolve(a.open(b.self, "/pleach/none/1", TIMEOUT_MS)));
    assert.deepEqual(a.links(), [b.self], "the link stays");
  });

  story("open rejects for a member that is not linked", async (world) => {
    await assert.rejects(world.resolve(world.a.open(world.b.self, ECHO, TIMEOUT_MS)));
  });

  story("abort reaches a peer that waits, and ends our own waits", async (world) => {
    const { a, b } = world;
    const ended = Promise.withResolvers<string>();
    b.handle(ECHO, async (channel) => {
      try {
        await channel.receive(TIMEOUT_MS * 4);
        await channel.receive(TIMEOUT_MS * 4);
        ended.resolve("went on");
      } catch {
        ended.resolve("rejected");
      }
    });
    await world.link();
    const channel = await world.resolve(a.open(b.self, ECHO, TIMEOUT_MS));
    await world.resolve(channel.send(new Uint8Array(1)));
    const waiting = assert.rejects(channel.receive(TIMEOUT_MS * 4));
    channel.abort("enough");
    await world.resolve(waiting);
    assert.equal(await world.resolve(ended.promise), "rejected");
    await assert.rejects(world.resolve(channel.send(new Uint8Array(1))));
  });

  story("a handler that rejects aborts its channel and nothing else", async (world) => {
    const { a, b } = world;
    b.handle("/pleach/fail/1", async () => {
      throw new Error("on purpose");
    });
    b.handle(ECHO, echo);
    await world.link();
    const failing = a.open(b.self, "/pleach/fail/1", TIMEOUT_MS);
    await assert.rejects(world.resolve(failing.then((channel) => channel.receive(TIMEOUT_MS))));
    const channel = await world.resolve(a.open(b.self, ECHO, TIMEOUT_MS));
    await world.resolve(channel.send(Uint8Array.of(7)));
    assert.deepEqual(await world.resolve(channel.receive(TIMEOUT_MS)), Uint8Array.of(7));
  });

  story("a slow reader holds up the sender, and loses nothing", async (world) => {
    const { a, b } = world;
    const frames = 200;
    const sizeBytes = 64 * 1024;
    const mayRead = Promise.withResolvers<void>();
    const counted = Promise.withResolvers<number>();
    b.handle(ECHO, async (channel) => {
      await mayRead.promise;
      let count = 0;
      while ((await channel.receive(TIMEOUT_MS)) !== undefined) count++;
      counted.resolve(count);
      await channel.end();
    });
    await world.link();
    const channel = await world.resolve(a.open(b.self, ECHO, TIMEOUT_MS));
    let taken = 0;
    const sending = (async () => {
      for (let i = 0; i < frames; i++) {
        await channel.send(new Uint8Array(sizeBytes));
        taken++;
      }
      await channel.end();
    })();
    await world.resolve(channel.receive(1_000).catch(() => {}));
    assert.ok(taken > 0 && taken < frames / 2, `${taken} frames went to a peer that reads none`);
    mayRead.resolve();
    await world.resolve(sending);
    assert.equal(await world.resolve(counted.promise), frames);
  });

  story("many channels at once keep their frames apart", async (world) => {
    const { a, b } = world;
    b.handle(ECHO, echo);
    await world.link();
    const one = async (index: number): Promise<void> => {
      const channel = await a.open(b.self, ECHO, TIMEOUT_MS);
      for (let round = 0; round < 5; round++) {
        const frame = Uint8Array.of(index, round);
        await channel.send(frame);
        assert.deepEqual(await channel.receive(TIMEOUT_MS), frame);
      }
      await channel.end();
      assert.equal(await channel.receive(TIMEOUT_MS), undefined);
    };
    await world.resolve(Promise.all(Array.from({ length: 20 }, (_, index) => one(index))));
  });

  story("when a member goes down its links end, and what waits on it rejects", async (world) => {
    const { a, b } = world;
    b.handle(ECHO, echo);
    await world.link();
    const channel = await world.resolve(a.open(b.self, ECHO, TIMEOUT_MS));
    const down = new Promise<void>((resolve) => {
      a.onLink((peer, up) => {
        if (peer === b.self && !up) resolve();
      });
    });
    const waiting = assert.rejects(channel.receive(TIMEOUT_MS * 4));
    await world.stop(b);
    await world.resolve(Promise.all([down, waiting]));
    assert.deepEqual(a.links(), []);
  });
}
