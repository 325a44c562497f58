/** Zones and serials over real states: edited apart, merged, restarted, with and without a right. */
import { deepEqual, equal, notEqual, ok, rejects } from "node:assert/strict";
import { describe, it } from "node:test";
import { isLaterSerial } from "../../daemon/core/zones/zone-serial.ts";
import { ZonePublisher } from "../../daemon/dns/zone-publisher.ts";
import { ZoneEditor } from "../../daemon/dns/zone-editor.ts";
import { exportZone } from "../../daemon/dns/zone-report.ts";
import { silentLogger } from "../../daemon/observe/log.ts";
import { State } from "../../daemon/state/state.ts";
import { FakeTime } from "../fakes/clock.ts";
import { Founding, testKey } from "../fakes/founding.ts";
import { FakeDisk } from "../fakes/store.ts";

class Node {
  readonly state: State;
  readonly publisher: ZonePublisher;
  readonly editor: ZoneEditor;

  private constructor(state: State, time: FakeTime) {
    this.state = state;
    const source = {
      siteId: state.siteId,
      view: () => state.view(),
      authority: () => state.authority(),
      logHeads: () => state.logHeads(),
      statements: () => state.statements(),
      onChange: (listener: () => void) => state.subscribe(listener),
    };
    this.publisher = new ZonePublisher(source, time.clock(), silentLogger, () => {});
    this.editor = new ZoneEditor({
      view: source.view,
      writer: state,
      served: () => this.publisher.zones,
      reload: () => this.publisher.reload(),
    });
  }

  static async start(name: string, disk: FakeDisk, time: FakeTime): Promise<Node> {
    const setup = { store: disk.open(), clock: time.clock(), log: silentLogger };
    return new Node(await State.open({ ...setup, siteKey: testKey(name) }), time);
  }

  add(name: string, data: string): Promise<unknown> {
    return this.editor.edit({ action: "add", name, type: "A", data: [data] });
  }

  /** What it serves after all delays. */
  async served(time: FakeTime): Promise<{ serial: number; text: string }> {
    await time.advance(3000);
    const [zone] = this.publisher.zones;
    return zone === undefined
      ? { serial: -1, text: "" }
      : { serial: zone.serial, text: exportZone(zone, "public") };
  }
}

async function bring(from: State, to: State): Promise<void> {
  for (const id of from.replica.statementIds()) {
    const bytes = from.replica.statement(id);
    if (bytes !== undefined) await to.replica.receiveStatement(bytes, from.siteId);
  }
  for (const { log } of from.logHeads()) {
    for await (const bytes of from.replica.envelopesFrom(log, 0)) {
      await to.replica.receiveEnvelope(bytes, from.siteId);
    }
  }
}

async function two(): Promise<{
  a: Node;
  b: Node;
  disk: FakeDisk;
  founding: Founding;
  time: FakeTime;
}> {
  const time = new FakeTime();
  const founding = new Founding();
  founding.grant(founding.enrol("quimper"), "zone", null);
  founding.grant(founding.enrol("brest"), "zone", "mesh.example");
  const disk = new FakeDisk();
  const a = await Node.start("quimper", disk, time);
  const b = await Node.start("brest", new FakeDisk(), time);
  await a.state.addStatements(founding.statements);
  await b.state.addStatements(founding.statements.toReversed());
  await a.editor.addZone("mesh.example", undefined, 0);
  await bring(a.state, b.state);
  return { a, b, disk, founding, time };
}

describe("zones over replicated state", () => {
  it("are the same on two nodes, with the same serial, after edits on both", async () => {
    const { a, b, time } = await two();
    deepEqual(await b.served(time), await a.served(time));
    await a.add("www.mesh.example", "192.0.2.1");
    await bring(a.state, b.state);
    const first = await b.served(time);
    deepEqual(first, await a.served(time));
    await b.add("www.mesh.example", "192.0.2.2");
    await bring(b.state, a.state);
    const second = await a.served(time);
    deepEqual(second, await b.served(time));
    ok(isLaterSerial(second.serial, first.serial));
    ok(second.text.includes("192.0.2.1") && second.text.includes("192.0.2.2"));
  });

  it("merge after edits apart, above both sides, with what each added", async () => {
    const { a, b, time } = await two();
    await a.add("www.mesh.example", "192.0.2.1");
    await a.add("only-a.mesh.example", "192.0.2.3");
    await b.add("www.mesh.example", "192.0.2.2");
    const [left, right] = [await a.served(time), await b.served(time)];
    notEqual(left.text, right.text);
    await bring(a.state, b.state);
    await bring(b.state, a.state);
    const merged = await a.served(time);
    deepEqual(merged, await b.served(time));
    for (const side of [left, right]) ok(isLaterSerial(merged.serial, side.serial));
    for (const address of ["192.0.2.1", "192.0.2.2", "192.0.2.3"])
      ok(merged.text.includes(address));
  });

  it("keep their serial over a restart, and raise it with the next edit", async () => {
    const { a, b, disk, time } = await two();
    await a.add("www.mesh.example", "192.0.2.1");
    const before = await a.served(time);
    disk.cutPower();
    const again = await Node.start("quimper", disk, time);
    deepEqual(await again.served(time), before);
    await again.add("www.mesh.example", "192.0.2.2");
    const after = await again.served(time);
    ok(isLaterSerial(after.serial, before.serial));
    await bring(again.state, b.state);
    deepEqual(await b.served(time), after);
  });

  it("raise their serial with every statement", async () => {
    const { a, founding, time } = await two();
    const before = await a.served(time);
    founding.enrol("vannes");
    await a.state.addStatements(founding.statements);
    ok(isLaterSerial((await a.served(time)).serial, before.serial));
  });

  it("take no edit without a grant, and nothing changes", async () => {
    const { a, b, time } = await two();
    const before = await b.served(time);
    await rejects(b.editor.addZone("other.example", undefined, 0), { code: "E-STATE-RIGHT" });
    await a.editor.addZone("a-only.example", undefined, 0);
    await bring(a.state, b.state);
    await b.served(time);
    await rejects(b.add("www.a-only.example", "192.0.2.1"), { code: "E-STATE-RIGHT" });
    equal(before.text.includes("192.0.2.1"), false);
  });
});
