/** The fake network keeps the promises of the transport seam; the real mesh runs the same suite. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { idOf, sha256, type SiteId } from "../../protocol/ids.ts";
import { FakeTime } from "../fakes/clock.ts";
import { SeededRandom } from "../fakes/seeded-random.ts";
import { FakeNetwork, type FakeTransport } from "../fakes/transport.ts";
import { transportSuite } from "./transport-suite.ts";

const siteId = (index: number): SiteId => idOf<SiteId>(sha256(`site ${index}`));

transportSuite("fake", async (memberCount) => {
  const time = new FakeTime();
  const network = new FakeNetwork({ time, seed: 1 });
  const ids = Array.from({ length: memberCount }, (_, index) => siteId(index));
  network.partition(ids, ids);
  const members = ids.map((id) => network.join(id));
  const allLinked = (): boolean => members.every((m) => m.links().length === memberCount - 1);
  return {
    members,
    link: async () => {
      network.heal();
      await time.until(allLinked, 60_000);
    },
    stop: async (member) => network.leave(member.self),
    resolve: (promise) => time.resolve(promise),
    close: async () => {},
  };
});

/** Two linked members; `b` notes the first byte of every frame it gets. */
async function noted(seed: number) {
  const time = new FakeTime();
  const network = new FakeNetwork({ time, seed });
  const [a, b] = [network.join(siteId(0)), network.join(siteId(1))];
  const notes: number[][] = [];
  b.handle("/pleach/note/1", async (channel) => {
    const own: number[] = [];
    notes.push(own);
    for (;;) {
      const frame = await channel.receive(600_000);
      if (frame === undefined) return channel.end();
      own.push(frame[0] ?? -1);
      all.push(frame[0] ?? -1);
    }
  });
  const all: number[] = [];
  await time.until(() => a.links().length === 1, 60_000);
  const open = async (transport: FakeTransport) =>
    time.resolve(transport.open(b.self, "/pleach/note/1", 5000));
  return { time, network, a, b, notes, all, open };
}

test("fake: frames overtake one another between channels, never within one", async () => {
  const overtaken = async (seed: number): Promise<boolean> => {
    const { time, a, notes, all, open } = await noted(seed);
    const [first, second] = [await open(a), await open(a)];
    for (let i = 0; i < 20; i++) await (i % 2 === 0 ? first : second).send(Uint8Array.of(i));
    await time.advance(10_000);
    const inOrder = (list: readonly number[]) =>
      list.every((n, i) => i === 0 || n > (list[i - 1] ?? 0));
    assert.equal(all.length, 20);
    assert.ok(notes.every(inOrder));
    return !inOrder(all);
  };
  const seeds = await Promise.all([1, 2, 3, 4].map(overtaken));
  assert.ok(seeds.includes(true));
});

test("fake: a standstill delays frames in their order, and cuts the link after 90 s", async () => {
  const { time, network, a, b, all, open } = await noted(5);
  const channel = await open(a);
  const sent = new SeededRandom(5).shuffled([1, 2, 3, 4, 5]);
  for (const [index, mark] of sent.entries()) {
    await channel.send(Uint8Array.of(mark));
    if (index === 1) network.freeze(a.self, b.self);
  }
  await time.advance(60_000);
  assert.deepEqual(all, []);
  network.thaw(a.self, b.self);
  await time.advance(1000);
  assert.deepEqual(all, sent);
  network.freeze(a.self, b.self);
  const down: boolean[] = [];
  a.onLink((_, up) => down.push(up));
  await time.advance(89_000);
  assert.deepEqual(down, []);
  await time.advance(10_000);
  assert.deepEqual(down, [false, true], "cut, and dialled again");
});

test("fake: a line that carries one way only holds back what goes the other way", async () => {
  const { time, network, a, b, all, open } = await noted(6);
  const channel = await open(a);
  network.freezeOneWay(a.self, b.self);
  await channel.send(Uint8Array.of(1));
  a.handle("/pleach/back/1", async (back) => {
    back.receive(600_000).then(
      (frame) => all.push(frame?.[0] ?? -1),
      () => {},
    );
    return Promise.resolve();
  });
  // The name of the protocol gets through to `a`, the answer of `a` does not get to `b`.
  const back = b.open(a.self, "/pleach/back/1", 5_000);
  await assert.rejects(time.resolve(back), { code: "E-FAKE-TIMEOUT" });
  assert.deepEqual(all, []);
  network.thaw(a.self, b.self);
  await time.advance(1_000);
  assert.deepEqual(all, [1]);
});

test("fake: of two boxes with one key each member is linked to one, and to the other after it", async () => {
  const time = new FakeTime();
  const network = new FakeNetwork({ time, seed: 7 });
  const [a, b] = [network.join(siteId(0)), network.join(siteId(1))];
  const double = network.join(b.self, `${b.self}#double`);
  await time.advance(60_000);
  assert.deepEqual(a.links(), [b.self]);
  assert.equal(b.links().length + double.links().length, 1);
  const [first, second] = b.links().length === 1 ? [b, double] : [double, b];
  network.leave(first.box);
  await time.advance(60_000);
  assert.deepEqual(a.links(), [b.self]);
  assert.deepEqual(second.links(), [a.self]);
});
