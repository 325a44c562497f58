/** What steering may never do, whatever people wrote, marked and declared. */
import { equal, ok } from "node:assert/strict";
import { describe, it } from "node:test";
import { RecordView } from "../../test-mesh/fakes/record-view.ts";
import { OWNERS, RandomZoneState, ZONES } from "../../test-mesh/dns/random-zone-state.ts";
import { SeededRandom } from "../../test-mesh/fakes/seeded-random.ts";
import { RCODE } from "../../protocol/dns/dns-code.ts";
import { nameKey, parseDnsName } from "../../protocol/dns/dns-name.ts";
import { markKey, servicePolicyKey } from "../../protocol/dns/steering-record.ts";
import { TYPE } from "../../protocol/dns/dns-type.ts";
import { ZONE_VIEWS } from "../../protocol/dns/zone-view.ts";
import type { RecordClass } from "../../protocol/logs/record-class.ts";
import type { View } from "../core/logs/view.ts";
import { buildZones, type ZoneState } from "../core/zones/zone-build.ts";
import { steeringOf } from "../core/zones/steering-state.ts";
import { unsteered } from "../core/zones/steering.ts";
import { answerQuestion } from "./answer.ts";
import { ZoneTree } from "./zone-tree.ts";

const STEPS = 200;
const SERVICES = ["wiki", "jitsi", "a"];
const NAMES = ZONES.flatMap((zone) =>
  ["wiki", "jitsi", "_tcp.jitsi", "_https._tcp.wiki", "wiki.brest", "brest"].map((name) =>
    parseDnsName(`${name}.${zone}`),
  ),
);
const TYPES: readonly number[] = [TYPE.A, TYPE.AAAA, TYPE.SRV, TYPE.HTTPS, TYPE.TXT];

/** The same with most services down at most sites, and policies for what is answered then. */
function troubled(state: ZoneState, random: SeededRandom): ZoneState {
  const view = new RecordView();
  for (const service of SERVICES) {
    for (const { siteId } of state.sites) {
      const down = random.chance(0.8);
      view.put(state.ownSite, "policy", markKey(service, siteId), { state: down ? "down" : "up" });
    }
    const name = `${random.pick([...OWNERS, "jitsi", "none"])}.${random.pick(ZONES)}`;
    const fallback = { whenDown: "fallback", name: name.replace("*.", "") };
    const policy = random.chance(0.2) ? { whenDown: "none" } : fallback;
    view.put(state.ownSite, "policy", servicePolicyKey(service), policy);
  }
  const of = (recordClass: RecordClass): View => (recordClass === "policy" ? view : state.view);
  const both: View = {
    entries: (recordClass, prefix) => of(recordClass).entries(recordClass, prefix),
    get: (recordClass, key, author) => of(recordClass).get(recordClass, key, author),
    conflicts: () => [],
    hash: "",
  };
  return { ...state, steering: steeringOf({ ...state, view: both }) };
}

describe("steering", () => {
  for (const seed of [3, 4]) {
    it(`makes no name vanish, and changes no serial and no transfer (seed ${seed})`, () => {
      const random = new SeededRandom(seed);
      const world = new RandomZoneState(random);
      let differing = 0;
      for (let step = 0; step < STEPS; step++) {
        world.change();
        if (step % 4 !== 0) continue;
        const state = troubled(world.state, random);
        const zones = buildZones(state);
        const plain = buildZones({ ...state, steering: unsteered(state.ownSite) });
        const [tree, plainTree] = [new ZoneTree(zones), new ZoneTree(plain)];
        for (const [index, zone] of zones.entries()) {
          equal(zone.serial, plain[index]?.serial);
          for (const [key, { stored }] of zone.names) {
            for (const view of ZONE_VIEWS) {
              const other = plain[index]?.names.get(key)?.stored[view];
              equal(JSON.stringify(stored[view]), JSON.stringify(other));
            }
          }
        }
        for (const name of NAMES) {
          for (const view of ZONE_VIEWS) {
            for (const type of TYPES) {
              const before = answerQuestion(plainTree, name, type, view);
              const after = answerQuestion(tree, name, type, view);
              if (JSON.stringify(before.answer) !== JSON.stringify(after.answer)) differing++;
              if (before.rcode !== RCODE.NXDOMAIN) {
                const where = `step ${step} ${nameKey(name)} ${type} ${view}`;
                ok(after.rcode !== RCODE.NXDOMAIN, where);
              }
            }
          }
        }
      }
      ok(differing > 50, `${differing} answers were steered`);
    });
  }
});
