/** What it costs on the wire to stay equal: 100,000 records in 100 documents of 100 sites. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLogger } from "../../daemon/observe/log.ts";
import type { State } from "../../daemon/state/state.ts";
import { Sync } from "../../daemon/state/sync/sync.ts";
import { idOf, type SiteId } from "../../protocol/ids.ts";
import { CountedTransport } from "../fakes/counted-transport.ts";
import { FakeTime } from "../fakes/clock.ts";
import { Founding, testKey } from "../fakes/founding.ts";
import { entriesOf, startMember } from "../fakes/state-node.ts";
import { FakeNetwork } from "../fakes/transport.ts";
import { service } from "./simulated-mesh.ts";

const SITES = 100;
const RECORDS_OF_SITE = 1_000;
const PROTOCOL = "/pleach/state/1";

interface Node {
  readonly id: SiteId;
  readonly state: State;
  readonly sync: Sync;
  readonly wire: CountedTransport;
}

/** Two nodes with one large state, linked, equal and at rest. */
async function twoEqualNodes() {
  const founding = new Founding("bytes");
  const names = Array.from({ length: SITES }, (_, index) => `site-${index}`);
  for (const name of names) founding.enrol(name);
  const states: State[] = [];
  for (const name of ["site-0", "site-1"])
    states.push(await startMember(name, founding.statements));
  for (const name of names) {
    const author =
      states.find(({ siteId }) => siteId === idOf<SiteId>(testKey(name).publicKey)) ??
      (await startMember(name, founding.statements));
    const keys = Array.from({ length: RECORDS_OF_SITE }, (_, index) => `${index}`);
    await author.write(
      keys.map((key) => ({ class: "site", key: `service/${key}`, value: service(key) })),
    );
    for (const bytes of await entriesOf(author)) {
      for (const { replica } of states) await replica.receiveEnvelope(bytes, author.siteId);
    }
  }
  const time = new FakeTime(1);
  const network = new FakeNetwork({ time, seed: 1 });
  const nodes = states.map((state): Node => {
    const wire = new CountedTransport(network.join(state.siteId), PROTOCOL);
    const clock = time.clock();
    const { replica, siteId: id } = state;
    const meshId = () => founding.meshId;
    const isMember = () => true;
    const sync = new Sync({ replica, transport: wire, clock, log: silentLogger, meshId, isMember });
    sync.start();
    return { id, state, sync, wire };
  });
  const [a, b] = nodes;
  assert.ok(a !== undefined && b !== undefined);
  const isEqual = (): boolean =>
    a.state.replica.stateDigest() === b.state.replica.stateDigest() &&
    [a, b].every(({ sync }) => sync.status()[0]?.digestEqual === true);
  await time.until(isEqual, 60_000, "equal");
  await time.advance(10_000);
  const count = () => {
    const told = {
      a: a.wire.frames,
      b: b.wire.frames,
      sizeBytes: a.wire.sizeBytes + b.wire.sizeBytes,
    };
    a.wire.reset();
    b.wire.reset();
    return told;
  };
  count();
  return { a, b, time, network, isEqual, count };
}

test("one record of 100,000 costs less than 4 KiB, by push and by round", async (t) => {
  const { a, b, time, network, isEqual, count } = await twoEqualNodes();
  assert.equal(a.state.view().entries("site", "service/").length, SITES * RECORDS_OF_SITE);

  await time.advance(600_000);
  const atRest = count();
  assert.equal(atRest.a, atRest.b, "one message each way");
  assert.ok(atRest.a >= 600 / 120 && atRest.a <= 600 / 30, `${atRest.a} rounds in 10 minutes`);
  const ofRound = Math.ceil(atRest.sizeBytes / atRest.a);
  t.diagnostic(`a round of equal nodes: ${ofRound} bytes both ways`);
  assert.ok(ofRound < 1024);

  const change = (author: Node, name: string) =>
    time.resolve(author.state.write([{ class: "site", key: "service/7", value: service(name) }]));
  await change(a, "pushed");
  await time.advance(2_000);
  assert.ok(isEqual());
  const pushed = count();
  t.diagnostic(`one record by push: ${pushed.sizeBytes} bytes both ways`);
  assert.ok(pushed.sizeBytes < 4096);

  network.bar(a.id, b.id);
  await change(b, "fetched");
  network.allow(a.id, b.id);
  await time.until(isEqual, 10_000, "equal after the round");
  await time.advance(3_000);
  const fetched = count();
  t.diagnostic(`one record by round: ${fetched.sizeBytes} bytes both ways`);
  assert.ok(fetched.sizeBytes < 4096, `${fetched.sizeBytes} bytes`);
});
