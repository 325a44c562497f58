/** Live logs of a part that are too many: what they say keeps nothing out on the nodes that hold them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Founding, testKey } from "../../test-mesh/fakes/founding.ts";
import { bring, startMember } from "../../test-mesh/fakes/state-node.ts";
import { ForkingLog } from "../../test-mesh/hostile/forking-log.ts";
import type { LogId } from "../../protocol/ids.ts";
import { MAX_KEPT_LOGS } from "./shelf.ts";

test("a log below the floor of one that has no say comes also where that one is held", async () => {
  const founding = new Founding("crowded logs");
  for (const name of ["quimper", "brest", "thief"]) founding.enrol(name);
  const open = (name: string, started: number): ForkingLog =>
    new ForkingLog(founding.meshId, testKey("thief"), { class: "offer", name, started });
  const find = (name: string, started: number, fits: (log: LogId) => boolean): ForkingLog => {
    for (let number = 0; ; number++) {
      const found = open(`${name} ${number}`, started);
      if (fits(found.log)) return found;
    }
  };
  const logs = Array.from({ length: MAX_KEPT_LOGS }, (_, index) => open(`log ${index}`, 5));
  logs.sort((a, b) => (a.log < b.log ? -1 : 1));
  const lowest = logs.at(0)?.log ?? "";
  const highest = logs.at(-1)?.log ?? "";
  const early = find("early", 1, (log) => log < lowest);
  const crowded = find("crowded", 10, (log) => log > highest);
  const snapshots = logs.map((log) => log.snapshot());
  const entries = [early.snapshot(), early.update({ "service/early": "1" })];
  const word = crowded.snapshot({ floor: 2 });
  const cover = open("cover", 20);
  const fork = cover.fork().snapshot();
  const covers = cover.snapshot({ retires: logs.slice(0, 12).map((log) => log.taken()) });

  const one = await startMember("quimper", founding.statements);
  const other = await startMember("brest", founding.statements);
  const later = [...snapshots.slice(0, 12), covers, ...snapshots.slice(12), word];
  for (const [state, taken] of [
    [one, [...entries, ...later]],
    [other, later],
  ] as const) {
    for (const { bytes } of taken) {
      assert.equal(await state.replica.receiveEnvelope(bytes, early.author), "accepted");
    }
  }
  // The log that had taken up most others goes: now more are live than have a say.
  await one.replica.receiveEnvelope(fork.bytes, early.author);
  for (const [from, to] of [
    [one, other],
    [other, one],
    [one, other],
  ] as const)
    await bring(from, to);
  for (const state of [one, other]) {
    assert.deepEqual(
      state
        .view()
        .entries("offer")
        .map(({ key }) => key),
      ["service/early"],
    );
  }
  assert.equal(one.replica.stateDigest(), other.replica.stateDigest());
});
