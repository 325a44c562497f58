/** A member that is revoked: it is hung up on at once, and nothing that it says afterwards counts. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { SyncMessage } from "../../protocol/messages/sync-message.ts";
import { decodeSyncMessage, encodeSyncMessage } from "../../protocol/messages/sync-message.ts";
import type { Channel } from "../../daemon/core/transport.ts";
import { entriesOf } from "../fakes/state-node.ts";
import { service, SimulatedMesh } from "./simulated-mesh.ts";

const STATE = "/pleach/state/1";
const TIMEOUT_MS = 120_000;

const say = (channel: Channel, message: SyncMessage): Promise<void> =>
  channel.send(encodeSyncMessage(message));

test("the statement that revokes a member ends its sessions, and others pass on nothing of it", async () => {
  const mesh = await SimulatedMesh.form({ seed: 1, siteCount: 4 });
  const [a, b, c, expelled] = mesh.sites;
  assert.ok(a !== undefined && b !== undefined && c !== undefined && expelled !== undefined);
  assert.ok(await mesh.time.resolve(expelled.write("site", "service/before", service("before"))));
  await mesh.untilEqual(10_000);
  const named = expelled.state.logHeads().filter(({ author }) => author === expelled.id);

  // What it writes when it knows better, and keeps for later.
  const others = [a.id, b.id, c.id];
  mesh.network.partition([expelled.id], others);
  assert.ok(await mesh.time.resolve(expelled.write("site", "service/after", service("after"))));
  const entries = await entriesOf(expelled.state);
  const ids = expelled.state.replica;
  const hello: SyncMessage = {
    v: 1,
    kind: "hello",
    use: "push",
    mesh: mesh.founding.meshId,
    oldest: 1,
    newest: 1,
    features: [],
    statements: ids.statementDigest(),
    state: ids.stateDigest(),
  };
  expelled.kill();
  const transport = mesh.network.join(expelled.id);
  const pushedTo: string[] = [];
  transport.handle(STATE, async (channel) => {
    const frame = await channel.receive(TIMEOUT_MS);
    if (frame !== undefined) pushedTo.push(decodeSyncMessage(frame).kind);
    await channel.receive(TIMEOUT_MS);
  });
  mesh.network.heal();
  await mesh.time.until(() => transport.links().length === 3, 60_000, "links");
  const session = await mesh.time.resolve(transport.open(a.id, STATE, TIMEOUT_MS));
  await say(session, hello);
  await mesh.time.advance(5_000);

  const { founding } = mesh;
  founding.epoch({
    revokes: [{ site: expelled.id, logs: named.map(({ log, seq, head }) => ({ log, seq, head })) }],
  });
  // B does not hear of it yet.
  mesh.network.partition([b.id], [a.id, c.id]);
  const { refused } = await mesh.time.resolve(a.state.addStatements(founding.statements));
  assert.deepEqual(refused, []);
  const isCut = { code: "E-FAKE-GONE" };
  await assert.rejects(mesh.time.resolve(session.receive(TIMEOUT_MS), 1_000), isCut);
  assert.ok(!a.sync.status().some(({ peer }) => peer === expelled.id), "no peer any more");
  const toB = await mesh.time.resolve(transport.open(b.id, STATE, TIMEOUT_MS));
  await say(toB, hello);
  await say(toB, { v: 1, kind: "push", statements: [], envelopes: entries });
  const answer = await mesh.time.resolve(toB.receive(TIMEOUT_MS));
  assert.ok(answer !== undefined && decodeSyncMessage(answer).kind === "pushed");
  const shows = (site: typeof a, key: string): boolean =>
    site.state.view().get("site", key, expelled.id) !== undefined;
  assert.ok(shows(b, "service/after"), "B cannot know better");

  pushedTo.length = 0;
  mesh.network.heal();
  const honest = [a, b, c];
  const isEqual = (): boolean =>
    new Set(honest.map(({ state }) => state.replica.stateDigest())).size === 1 &&
    honest.every((site) => !shows(site, "service/after") && shows(site, "service/before"));
  await mesh.time.until(isEqual, 10_000, "the exact cut everywhere");
  assert.ok(await mesh.time.resolve(a.write("site", "service/later", service("later"))));
  await mesh.time.advance(300_000);
  assert.deepEqual(pushedTo, [], "nobody speaks to it");
  // B holds entries beyond the cut, and its rounds end with the first word all the same.
  for (const { sync } of honest) {
    assert.deepEqual(
      sync.status().map(({ digestEqual }) => digestEqual),
      [true, true],
    );
  }
  assert.ok(isEqual());
});
