/**
 * Members that break the rules of `/pleach/state/1`: they are refused, slowed or left, and the others
 * become equal all the same.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Channel } from "../../daemon/core/transport.ts";
import type { SiteId } from "../../protocol/ids.ts";
import { CLASS_GROUPS } from "../../protocol/logs/record-class.ts";
import {
  decodeSyncMessage,
  encodeSyncMessage,
  type SyncHello,
  type SyncMessage,
} from "../../protocol/messages/sync-message.ts";
import { entriesOf, startMember } from "../fakes/state-node.ts";
import type { FakeTransport } from "../fakes/transport.ts";
import { service, SimulatedMesh } from "./simulated-mesh.ts";

const STATE = "/pleach/state/1";
const TIMEOUT_MS = 120_000;
const zeros = "00".repeat(32);

/** A mesh whose last sites are played by the test. */
async function withHostile(seed: number, honest: number, hostile: number) {
  const mesh = await SimulatedMesh.form({ seed, siteCount: honest + hostile });
  const played = mesh.sites.slice(honest).map((site) => {
    site.kill();
    return site;
  });
  const hello = (use: SyncHello["use"], more: Partial<SyncHello> = {}): SyncHello => ({
    v: 1,
    kind: "hello",
    use,
    mesh: mesh.founding.meshId,
    oldest: 1,
    newest: 1,
    features: [],
    statements: zeros,
    state: zeros,
    ...more,
  });
  /** Joins the network as the last sites, with one way to answer for all. */
  const play = (answer: (channel: Channel) => Promise<void>): FakeTransport[] =>
    played.map(({ id }) => {
      const transport = mesh.network.join(id);
      transport.handle(STATE, answer);
      return transport;
    });
  return { mesh, hello, play };
}

function say(channel: Channel, message: SyncMessage): Promise<void> {
  return channel.send(encodeSyncMessage(message));
}

async function hear(channel: Channel): Promise<SyncMessage | undefined> {
  const frame = await channel.receive(TIMEOUT_MS);
  return frame === undefined ? undefined : decodeSyncMessage(frame);
}

const silent = async (channel: Channel): Promise<void> => {
  await channel.receive(3_600_000);
};

/** Opens a channel to the first site, as soon as there is a link. */
async function call(mesh: SimulatedMesh, from: FakeTransport): Promise<Channel> {
  const to: SiteId = mesh.site(0).id;
  await mesh.time.until(() => mesh.network.linked(from.self, to), 60_000, "a link");
  return mesh.time.resolve(from.open(to, STATE, TIMEOUT_MS));
}

/** The first two sites differ after this, without a link to tell. */
async function differ(mesh: SimulatedMesh): Promise<void> {
  const [a, b] = [mesh.site(0), mesh.site(1)];
  mesh.network.bar(a.id, b.id);
  assert.ok(await mesh.time.resolve(a.write("site", "service/a", service("a"))));
  assert.ok(await mesh.time.resolve(b.write("site", "service/b", service("b"))));
}

test("another mesh, another version and a third push at once get a refusal and no more", async () => {
  const { mesh, hello, play } = await withHostile(1, 2, 1);
  const [hostile] = play(silent);
  assert.ok(hostile !== undefined);
  for (const [first, code] of [
    [hello("round", { mesh: zeros as SyncHello["mesh"] }), "mesh"],
    [hello("round", { oldest: 2, newest: 9 }), "version"],
  ] as const) {
    const channel = await call(mesh, hostile);
    await say(channel, first);
    assert.deepEqual(await mesh.time.resolve(hear(channel)), { v: 1, kind: "refusal", code });
    assert.equal(await mesh.time.resolve(hear(channel)), undefined);
  }
  for (let open = 0; open < 2; open++) await say(await call(mesh, hostile), hello("push"));
  await mesh.time.advance(1_000);
  const third = await call(mesh, hostile);
  await say(third, hello("push"));
  const busy = await mesh.time.resolve(hear(third));
  assert.deepEqual(busy, { v: 1, kind: "refusal", code: "busy" });
});

test("bytes that are no message, and messages out of order, end the channel only", async () => {
  const { mesh, hello, play } = await withHostile(2, 2, 1);
  const [hostile] = play(silent);
  assert.ok(hostile !== undefined);
  const bad: readonly Uint8Array[][] = [
    [new Uint8Array(300 * 1024)],
    [Buffer.from("GET / HTTP/1.1\r\n\r\n")],
    [encodeSyncMessage({ v: 1, kind: "digests-wanted", classes: [] })],
    [encodeSyncMessage(hello("round")), encodeSyncMessage(hello("round"))],
    [
      encodeSyncMessage(hello("push")),
      encodeSyncMessage({ v: 1, kind: "digests-wanted", classes: [] }),
    ],
  ];
  for (const frames of bad) {
    const channel = await call(mesh, hostile);
    for (const frame of frames) await channel.send(frame);
    const all = (async () => {
      while ((await channel.receive(TIMEOUT_MS)) !== undefined);
    })();
    await assert.rejects(mesh.time.resolve(all));
  }
  await differ(mesh);
  mesh.network.heal();
  await mesh.untilEqual(10_000);
});

test("members that never answer hold up neither rounds nor pushes of the others", async () => {
  const { mesh, play } = await withHostile(3, 2, 5);
  await differ(mesh);
  const deaf = play(silent);
  const allDeaf = (): boolean => deaf.every((one) => one.links().length === 6);
  await mesh.time.until(allDeaf, 60_000, "links to the deaf");
  mesh.network.heal();
  await mesh.untilEqual(25_000);
  const [a, b] = [mesh.site(0), mesh.site(1)];
  assert.ok(await mesh.time.resolve(a.write("site", "service/late", service("late"))));
  const seen = () => b.state.view().get("site", "service/late", a.id) !== undefined;
  await mesh.time.until(seen, 1_000, "a push beside the deaf");
});

test("a list without an end is cut, whatever it lists", async () => {
  const { mesh, hello, play } = await withHostile(4, 2, 1);
  const ended: string[] = [];
  play(async (channel) => {
    const first = await hear(channel);
    if (first?.kind !== "hello" || first.use !== "round") return channel.end();
    await say(channel, hello("round"));
    let frames = 0;
    try {
      await hear(channel);
      for (; ; frames++) {
        const ids = Array.from({ length: 4096 }, (_, i) =>
          (frames * 4096 + i).toString(16).padStart(64, "0"),
        );
        await say(channel, { v: 1, kind: "statement-ids", ids: ids as never, more: true });
      }
    } catch {
      ended.push(`after ${frames} frames`);
    }
  });
  await mesh.time.until(() => ended.length > 0, 120_000, "the end of the list");
});

test("a flood of what is not valid is only read slowly, and is counted", async () => {
  const { mesh, hello, play } = await withHostile(5, 2, 1);
  const [hostile] = play(silent);
  assert.ok(hostile !== undefined);
  const channel = await call(mesh, hostile);
  await say(channel, hello("push"));
  const startMs = mesh.time.nowMs;
  const frames = 10;
  const flood = (async () => {
    for (let frame = 0; frame < frames; frame++) {
      const envelopes = Array.from({ length: 250 }, (_, i) =>
        Buffer.from(`no entry ${frame} ${i}`),
      );
      await say(channel, { v: 1, kind: "push", statements: [], envelopes });
    }
    for (let frame = 0; frame < frames; frame++) {
      const answer = await hear(channel);
      assert.ok(answer?.kind === "pushed" && answer.results.every((each) => each === "refused"));
    }
    await channel.end();
    await hear(channel);
  })();
  await mesh.time.resolve(flood);
  const tookMs = mesh.time.nowMs - startMs;
  assert.ok(tookMs > 200_000, `2,500 items took ${tookMs} ms`);
  const status = mesh
    .site(0)
    .sync.status()
    .find(({ peer }) => peer === hostile.self);
  assert.equal(status?.refused, 2_500);
});

test("only what a member says it has stored is confirmed by it", async () => {
  const { mesh, hello, play } = await withHostile(7, 2, 1);
  const [played] = play(silent);
  assert.ok(played !== undefined);
  const author = mesh.site(0);
  assert.ok(await mesh.time.resolve(author.write("site", "service/a", service("a"))));
  const entry = author.acknowledged[0]?.entries.at(-1);
  assert.ok(entry !== undefined);
  const channel = await call(mesh, played);
  await say(channel, hello("round"));
  assert.equal((await mesh.time.resolve(hear(channel)))?.kind, "hello");
  const logs = [{ log: entry.log, after: 0 }];
  await say(channel, { v: 1, kind: "envelopes-wanted", logs });
  const sent = await mesh.time.resolve(hear(channel));
  assert.ok(sent?.kind === "envelopes" && sent.items.length === entry.seq);
  await mesh.time.advance(1_000);
  assert.ok(!author.state.confirmedBy(entry).includes(played.self), "sent is not stored");
  await say(channel, { v: 1, kind: "stored", logs: [{ log: entry.log, seq: entry.seq }] });
  await mesh.time.advance(1_000);
  assert.ok(author.state.confirmedBy(entry).includes(played.self));
});

test("an entry of somebody who is no member is not confirmed and not passed on", async () => {
  const { mesh, hello, play } = await withHostile(6, 3, 1);
  const [hostile] = play(silent);
  assert.ok(hostile !== undefined);
  const { founding } = mesh;
  const stranger = await startMember("stranger", [...founding.statements, strangerOf(mesh)]);
  await stranger.write([{ class: "site", key: "service/x", value: service("x") }]);
  const entries = await entriesOf(stranger);
  assert.ok(entries.length > 0);
  const channel = await call(mesh, hostile);
  await say(channel, hello("push"));
  await say(channel, { v: 1, kind: "push", statements: [], envelopes: entries });
  const answer = await mesh.time.resolve(hear(channel));
  assert.ok(answer?.kind === "pushed" && !answer.results.includes("stored"));
  await mesh.time.advance(300_000);
  for (const { state } of mesh.up) {
    assert.equal(state.view().entries("site", "service/x").length, 0);
  }
});

test("channels on which nothing is said are few, and leave room when they are over", async () => {
  const { mesh, hello, play } = await withHostile(8, 2, 1);
  const [hostile] = play(silent);
  assert.ok(hostile !== undefined);
  const mute = [];
  for (let opened = 0; opened < 8; opened++) mute.push(await call(mesh, hostile));
  await mesh.time.advance(1_000);
  const ninth = call(mesh, hostile).then(hear);
  await assert.rejects(mesh.time.resolve(ninth, 1_000), { code: "E-FAKE-GONE" });
  await mesh.time.advance(61_000);
  for (const channel of mute) await assert.rejects(hear(channel), { code: "E-FAKE-GONE" });
  const later = await call(mesh, hostile);
  await say(later, hello("push"));
  await say(later, { v: 1, kind: "push", statements: [], envelopes: [] });
  assert.equal((await mesh.time.resolve(hear(later)))?.kind, "pushed");
});

test("lists out of order and headers of another log end the round, and nothing else", async () => {
  const some = (fill: string, sizeBytes: number) => fill.repeat(sizeBytes * 2) as never;
  const digests = Object.fromEntries(CLASS_GROUPS.map((name) => [name, some("5", 32)]));
  const place = { seq: 9, head: some("7", 32), fromSeq: 1 };
  const lies: readonly ((asked: SyncMessage) => SyncMessage | undefined)[] = [
    (asked) => {
      const ids = [some("2", 32), some("1", 32)];
      if (asked.kind === "statement-ids-wanted")
        return { v: 1, kind: "statement-ids", ids, more: false };
      return undefined;
    },
    (asked) => {
      if (asked.kind === "statement-ids-wanted")
        return { v: 1, kind: "statement-ids", ids: [], more: false };
      if (asked.kind === "digests-wanted") {
        const sixteen = Array.from({ length: 16 }, () => some("3", 32));
        const classes = Object.fromEntries(asked.classes.map((name) => [name, sixteen]));
        return { v: 1, kind: "digests", classes };
      }
      if (asked.kind === "vectors-wanted") {
        const logs = [some("b", 16), some("a", 16)].map((log) => ({ log, ...place }));
        return { v: 1, kind: "vectors", logs, more: false };
      }
      return undefined;
    },
  ];
  for (const [index, lie] of lies.entries()) {
    const { mesh, hello, play } = await withHostile(20 + index, 2, 1);
    const ended: string[] = [];
    play(async (channel) => {
      const first = await hear(channel);
      if (first?.kind !== "hello" || first.use !== "round") return channel.end();
      await say(channel, hello("round", { classes: digests }));
      let last = "";
      try {
        for (;;) {
          const asked = await hear(channel);
          last = asked?.kind ?? "the end";
          const answer = asked === undefined ? undefined : lie(asked);
          if (answer === undefined) break;
          await say(channel, answer);
        }
      } catch {
        ended.push(last);
      }
    });
    await mesh.time.until(() => ended.length > 0, 120_000, "the end of the round");
    assert.equal(ended[0], ["statement-ids-wanted", "vectors-wanted"][index]);
    await differ(mesh);
    mesh.network.heal();
    await mesh.untilEqual(10_000);
  }
});

test("an author whom nobody here knows is not looked at while statements differ", async () => {
  const { mesh, hello, play } = await withHostile(9, 2, 1);
  const [hostile] = play(silent);
  assert.ok(hostile !== undefined);
  const stranger = await startMember("stranger", [...mesh.founding.statements, strangerOf(mesh)]);
  await stranger.write([{ class: "site", key: "service/x", value: service("x") }]);
  const envelopes = await entriesOf(stranger);
  const ours = mesh.site(0).state.replica.statementDigest();
  for (const [statements, result] of [
    [zeros, "refused"],
    [ours, "kept"],
  ] as const) {
    const channel = await call(mesh, hostile);
    await say(channel, hello("push", { statements }));
    await say(channel, { v: 1, kind: "push", statements: [], envelopes });
    const answer = await mesh.time.resolve(hear(channel));
    assert.ok(answer?.kind === "pushed");
    assert.deepEqual(new Set(answer.results), new Set([result]));
    await channel.end();
  }
  const status = mesh.site(0).sync.status();
  assert.equal(status.find(({ peer }) => peer === hostile.self)?.refused, 0, "it may be honest");
});

/** The enrolment of a site that the mesh does not know of. */
function strangerOf(mesh: SimulatedMesh) {
  mesh.founding.enrol("stranger");
  const statement = mesh.founding.statements.at(-1);
  assert.ok(statement !== undefined);
  return statement;
}
