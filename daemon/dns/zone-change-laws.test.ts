/** What is built and grown by changes is what is built and grown anew. */
import { deepEqual, equal, ok } from "node:assert/strict";
import { describe, it } from "node:test";
import { OWNERS, RandomZoneState, ZONES } from "../../test-mesh/dns/random-zone-state.ts";
import { zoneOfLines } from "../../test-mesh/dns/zone-lines.ts";
import { SeededRandom } from "../../test-mesh/fakes/seeded-random.ts";
import { decodeMessage } from "../../protocol/dns/decode-message.ts";
import { parseDnsName } from "../../protocol/dns/dns-name.ts";
import { TYPE } from "../../protocol/dns/dns-type.ts";
import type { DnsRecord } from "../../protocol/dns/message.ts";
import { inAllViews, ZONE_VIEWS } from "../../protocol/dns/zone-view.ts";
import { buildZones, ZoneBuilder } from "../core/zones/zone-build.ts";
import { linesOf, type Zone } from "../core/zones/zone.ts";
import { answerQuestion } from "./answer.ts";
import { zoneStream } from "./transfer/zone-stream.ts";
import { encodeDeltas, readDeltas } from "./udp/zone-snapshot.ts";
import { ZoneTree, type ServedDelta } from "./zone-tree.ts";

const STEPS = 200;
const SEEDS = [1, 2];

const NAMES = [
  ...ZONES,
  ...ZONES.flatMap((zone) =>
    [...OWNERS, "none", "z.a", "jitsi", "jitsi.brest"].map((name) => `${name}.${zone}`),
  ),
  "b.c.mesh.example",
  "elsewhere",
].map((name) => parseDnsName(name));
const TYPES: readonly number[] = [TYPE.A, TYPE.NS, TYPE.TXT, TYPE.DS, TYPE.SOA, TYPE.ANY];

function plain(zones: readonly Zone[]) {
  return zones.map(({ apex, serial, soa, names, lineCount, warnings }) => ({
    ...{ apex, serial, soa, lineCount, warnings },
    names: [...names].toSorted(([a], [b]) => (a < b ? -1 : 1)),
  }));
}

/** All answers to all questions, in every view. */
function answers(tree: ZoneTree) {
  return NAMES.flatMap((name) =>
    TYPES.flatMap((type) =>
      ZONE_VIEWS.map((view) => {
        const { zone, ...answer } = answerQuestion(tree, name, type, view);
        return [zone?.apex, zone?.serial, answer];
      }),
    ),
  );
}

/** As a thread gets it. */
function sent(deltas: readonly ServedDelta[]): readonly ServedDelta[] {
  const steps = readDeltas(encodeDeltas(deltas));
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

describe("zones that change", () => {
  for (const seed of SEEDS) {
    it(`are as if they were built anew after each change (seed ${seed})`, () => {
      const world = new RandomZoneState(new SeededRandom(seed));
      const builder = new ZoneBuilder();
      const tree = new ZoneTree();
      const [kinds, sizes] = [new Set<string>(), new Set<number>()];
      for (let step = 0; step < STEPS; step++) {
        world.change();
        const { state } = world;
        const deltas = builder.update(state);
        for (const delta of deltas) {
          kinds.add(delta.kind === "gone" ? "gone" : delta.whole ? "whole" : "changed");
          if (delta.kind === "changed") sizes.add(delta.names.length);
        }
        const anew = buildZones(state);
        deepEqual(plain(builder.zones), plain(anew), `step ${step}`);
        for (const zone of anew) equal(zone.lineCount, [...linesOf(zone)].length);
        tree.apply(sent(deltas));
        if (step % 10 === 0) deepEqual(answers(tree), answers(new ZoneTree(anew)), `step ${step}`);
        deepEqual(builder.update(state), [], "nothing has changed since");
      }
      deepEqual(kinds, new Set(["gone", "whole", "changed"]));
      ok(sizes.size > 2);
    });
  }

  it("tell of the touched names only, and of the apex for its serial", () => {
    const world = new RandomZoneState(new SeededRandom(9));
    const builder = new ZoneBuilder();
    for (let step = 0; step < 60; step++) world.change();
    const { state } = world;
    builder.update(state);
    const deltas = builder.update({ ...state, serialOffset: state.serialOffset + 64 });
    ok(deltas.length > 0);
    for (const delta of deltas) {
      ok(delta.kind === "changed" && !delta.whole);
      deepEqual(
        delta.names.map(({ owner }) => owner),
        [delta.apex],
      );
    }
  });
});

describe("a tree under a change", () => {
  const head = "example. 300 IN SOA . . 1 2 3 4 5";
  const hosts = (count: number, data: string): Zone =>
    zoneOfLines(
      [
        head,
        ...Array.from({ length: count }, (_, at) => `h${at}.d${at % 7}.example. 60 IN ${data}`),
      ].join("\n"),
    );
  const asked = (tree: ZoneTree, name: string) =>
    answerQuestion(tree, parseDnsName(name), TYPE.A, "public").answer[0]?.rrset.rdata[0]?.at(-1);

  it("answers as before until the whole of it is made, however many names it has", () => {
    for (const count of [3, 2000]) {
      const tree = new ZoneTree([hosts(2000, "A 192.0.2.1")]);
      const { apex, names } = hosts(count, "A 192.0.2.2");
      const change = {
        kind: "changed",
        apex,
        serial: 2,
        whole: false,
        names: [...names.values()],
      } as const;
      const steps = tree.change([change]);
      let rests = 0;
      for (let step = steps.next(); step.done !== true; step = steps.next()) {
        rests += 1;
        for (const name of ["h0.d0.example.", "h2.d2.example."]) equal(asked(tree, name), 1);
      }
      equal(rests > 10, count > 256);
      for (const name of ["h0.d0.example.", "h2.d2.example."]) equal(asked(tree, name), 2);
      equal(asked(tree, "h1999.d4.example."), count > 1999 ? 2 : 1);
      equal(tree.zoneOf(["example"], "public")?.serial, 2);
    }
  });

  it("leaves no part of a zone that goes while it is being grown", () => {
    const tree = new ZoneTree();
    const { apex, names } = hosts(500, "A 192.0.2.1");
    const grown = {
      kind: "changed",
      apex,
      serial: 1,
      whole: true,
      names: [...names.values()],
    } as const;
    const steps = tree.change([grown]);
    steps.next();
    equal(tree.zoneOf(["example"], "public"), undefined);
    while (steps.next().done !== true);
    tree.apply([{ kind: "gone", apex }]);
    equal(tree.zoneOf(["example"], "public"), undefined);
    equal(asked(tree, "h0.d0.example."), undefined);
  });
});

describe("a transfer of a zone that changes meanwhile", () => {
  it("is of the moment at which it began, and ends with the SOA that it began with", () => {
    const hosts = Array.from({ length: 3000 }, (_, at) => `h${at}.example. 60 IN A 192.0.2.1`);
    const zone = zoneOfLines(["example. 300 IN SOA . . 1 2 3 4 5", ...hosts].join("\n"));
    const names = new Map(zone.names);
    const live = { ...zone, names };
    const question = { name: zone.apex, type: TYPE.AXFR };
    const messages = zoneStream(live, "public", { question, id: 1, reserveBytes: 0, edns: false });
    const records: DnsRecord[] = [];
    for (const bytes of messages) {
      const message = decodeMessage(bytes);
      if ("fault" in message) throw new Error(message.fault);
      records.push(...message.answers);
      names.clear();
      live.soa = inAllViews(undefined);
    }
    equal(records.length, 3002);
    const [first, last] = [records[0], records.at(-1)].map((soa) => soa?.rdata.join());
    equal(records[0]?.type, TYPE.SOA);
    equal(first, last);
    equal(records.filter(({ type }) => type === TYPE.A).length, 3000);
  });
});
