/** Two histories of one log meet: rounds find the proof, and all end with what both have in common. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Envelope } from "../../protocol/logs/envelope.ts";
import { testKey } from "../fakes/founding.ts";
import { RawLog } from "./raw-log.ts";
import { SimulatedMesh } from "./simulated-mesh.ts";

type Change = Parameters<RawLog["update"]>[1];

/** One record that tells which branch wrote it. */
const change = (lamport: number, name: string): Change => [
  [`service/${name}`, { lamport, supersedes: [], value: { name, ports: [], addresses: [] } }],
];

interface Branches {
  readonly common: readonly Envelope[];
  readonly a: readonly Envelope[];
  readonly b: readonly Envelope[];
}

const CASES: Readonly<Record<string, (log: RawLog) => Branches>> = {
  "of one length"(log) {
    const common = [log.snap(1), log.update(2, change(2, "common"))];
    const other = log.branch();
    return { common, a: [log.update(3, change(3, "a"))], b: [other.update(3, change(3, "b"))] };
  },
  "of two lengths"(log) {
    const common = [log.snap(1), log.update(2, change(2, "common"))];
    const other = log.branch();
    const a = [3, 4, 5].map((lamport) => log.update(lamport, change(lamport, `a${lamport}`)));
    return { common, a, b: [other.update(3, change(3, "b"))] };
  },
  "behind snapshots"(log) {
    const common = [log.snap(1), log.update(2, change(2, "common"))];
    const other = log.branch();
    const a = [
      ...[log.update(3, change(3, "a3")), log.snap(4), log.update(5, change(5, "a5"))],
      ...[log.snap(6), log.update(7, change(7, "a7")), log.snap(8)],
    ];
    const b = [
      ...[other.snap(3), other.update(4, change(4, "b4")), other.snap(5)],
      ...[other.update(6, change(6, "b6")), other.update(7, change(7, "b7")), other.snap(8)],
    ];
    return { common, a, b };
  },
};

for (const [name, branch] of Object.entries(CASES)) {
  test(`two branches ${name}: proven, cut at the same place everywhere, and then at rest`, async () => {
    const mesh = await SimulatedMesh.form({ seed: 3, siteCount: 3 });
    const [left, right, forger] = mesh.sites;
    assert.ok(left !== undefined && right !== undefined && forger !== undefined);
    forger.kill();
    const log = new RawLog({
      ...{ mesh: mesh.founding.meshId, key: testKey(forger.name), class: "site" },
      ...{ part: 0, salt: new Uint8Array(16).fill(7) },
    });
    const { common, a, b } = branch(log);
    mesh.network.bar(left.id, right.id);
    for (const [site, entries] of [
      [left, [...common, ...a]],
      [right, [...common, ...b]],
    ] as const) {
      for (const { bytes } of entries) {
        const taken = site.state.replica.receiveEnvelope(bytes, forger.id);
        assert.equal(await mesh.time.resolve(taken), "accepted");
      }
    }
    await mesh.time.advance(5_000);
    mesh.network.heal();
    await mesh.untilEqual(20_000);
    for (const { state } of mesh.up) {
      const forked = state.authority().forkedLogs.get(log.log);
      assert.ok(forked !== undefined, "the proof is everywhere");
      assert.ok(forked.lastSeq <= common.length);
      const shown = state
        .view()
        .entries("site", "service/")
        .map(({ key }) => key);
      assert.deepEqual(shown, forked.lastSeq === 2 ? ["service/common"] : []);
    }
    await mesh.time.advance(130_000);
    for (const { sync } of mesh.up) {
      assert.ok(
        sync.status().every(({ digestEqual }) => digestEqual),
        "nothing is asked again",
      );
    }
  });
}
