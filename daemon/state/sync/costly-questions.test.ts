/** A member that asks short questions which cost much work is answered ever more slowly. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeSyncMessage, type SyncMessage } from "../../../protocol/messages/sync-message.ts";
import { service, SimulatedMesh } from "../../../test-mesh/simulation/simulated-mesh.ts";

const STATE = "/pleach/state/1";
const TIMEOUT_MS = 60_000;
const QUESTIONS = 20;
const LOGS = 4096;

test("asking for the same log again and again is paid for, and ends nothing", async () => {
  const mesh = await SimulatedMesh.form({ seed: 5, siteCount: 3 });
  const { time, founding, network } = mesh;
  const [victim, other, hostile] = [mesh.site(0), mesh.site(1), mesh.site(2)];
  assert.ok(await time.resolve(victim.write("site", "service/a", service("a"))));
  await mesh.untilEqual(60_000);
  const [log] = victim.state.logHeads();
  assert.ok(log);
  const { replica } = victim.state;
  const statements = replica.statementDigest();
  hostile.kill();
  const transport = network.join(hostile.id);
  await time.until(() => transport.links().includes(victim.id), 60_000, "a link");
  const channel = await time.resolve(transport.open(victim.id, STATE, TIMEOUT_MS));
  const say = (message: SyncMessage): Promise<void> => channel.send(encodeSyncMessage(message));
  const versions = { oldest: 1, newest: 1, features: [] };
  const hello = { v: 1, kind: "hello", use: "round", mesh: founding.meshId } as const;
  await say({ ...hello, ...versions, statements, state: "0".repeat(64) });
  await time.resolve(channel.receive(TIMEOUT_MS));
  // Behind its end: there is nothing to send, and still it has to be looked for.
  const logs = Array.from({ length: LOGS }, () => ({ log: log.log, after: log.seq }));
  const question = { v: 1, kind: "envelopes-wanted", logs } as const;
  const beganMs = time.clock().monotonicMs();
  for (let asked = 0; asked < QUESTIONS; asked++) {
    await time.resolve(say(question));
    await time.resolve(channel.receive(TIMEOUT_MS));
  }
  const tookMs = time.clock().monotonicMs() - beganMs;
  assert.ok(tookMs > 10_000, `${tookMs} ms for ${QUESTIONS} questions`);
  // Meanwhile others are served as ever.
  assert.ok(await time.resolve(victim.write("site", "service/b", service("b"))));
  const seen = (): boolean => other.state.view().get("site", "service/b") !== undefined;
  await time.until(seen, 5_000, "what is written");
});
