/**
 * The views of one tree answer as if each were a zone of its own, made by the plainest reading of
 * the rule: for each name and type the records of the narrowest place that has any.
 */
import { deepEqual, ok } from "node:assert/strict";
import { describe, it } from "node:test";
import { siteIdOf, StaticSource } from "../../test-mesh/dns/static-source.ts";
import { SeededRandom } from "../../test-mesh/fakes/seeded-random.ts";
import { formatDnsName, nameKey, parseDnsName } from "../../protocol/dns/dns-name.ts";
import { formatType, parseType, TYPE } from "../../protocol/dns/dns-type.ts";
import { formatRdata } from "../../protocol/dns/rdata.ts";
import {
  makeZoneRecord,
  zoneRecordJson,
  zoneRecordKey,
  type ZoneRecord,
} from "../../protocol/dns/zone-record.ts";
import {
  placeText,
  ZONE_VIEWS,
  type ViewPlace,
  type ZoneView,
} from "../../protocol/dns/zone-view.ts";
import { plainZone } from "../core/zones/plain-zone.ts";
import { buildZones } from "../core/zones/zone-build.ts";
import { answerQuestion } from "./answer.ts";
import type { AnswerSet } from "./answer-sections.ts";
import { ZoneTree } from "./zone-tree.ts";

const ROUNDS = 30;
const HERE = siteIdOf("quimper");
const PLACES: readonly ViewPlace[] = [
  { view: "public" },
  { view: "mesh" },
  { view: "lan" },
  { view: "lan", site: HERE },
  { view: "lan", site: siteIdOf("brest") },
];
/** What each view is shown, the widest first. */
const REACH: Readonly<Record<ZoneView, readonly string[]>> = {
  public: ["public"],
  mesh: ["public", "mesh"],
  lan: ["public", "mesh", "lan", `lan-${HERE}`],
};
const ZONES = ["example", "b.example"].map((name) => parseDnsName(name));
const LABELS = ["a", "b", "c", "*"];
const DATA: readonly (readonly [type: string, data: string])[] = [
  ["A", "192.0.2.1"],
  ["A", "192.0.2.2"],
  ["AAAA", "2001:db8::1"],
  ["TXT", '"t"'],
  ["CNAME", "a.example."],
  ["CNAME", "c.b.example."],
  ["NS", "c.example."],
  ["DNAME", "a.example."],
  ["MX", "1 b.example."],
];

function randomRecords(random: SeededRandom): ZoneRecord[] {
  const records = new Map<string, ZoneRecord>();
  const put = (record: ZoneRecord): void => void records.set(zoneRecordKey(record), record);
  for (const zone of ZONES) {
    for (const place of PLACES) {
      if (random.chance(0.4)) {
        put(makeZoneRecord(zone, zone, TYPE.SOA, 60, "ns.x. host.x. 0 1 1 1 1", place));
      }
      for (let left = random.below(7); left > 0; left--) {
        const labels = Array.from({ length: random.below(3) }, () => random.pick(LABELS));
        const owner = parseDnsName(labels.length === 0 ? "@" : labels.join("."), zone);
        const [type, data] = random.pick(DATA);
        if (owner.length === zone.length && type === "CNAME") continue;
        put(makeZoneRecord(zone, owner, parseType(type), 60, data, place));
      }
    }
  }
  return [...records.values()];
}

/** What a view shows of one zone. */
function shownIn(view: ZoneView, records: readonly ZoneRecord[]): ZoneRecord[] {
  const rank = (record: ZoneRecord): number => REACH[view].indexOf(placeText(record));
  const visible = records.filter((record) => rank(record) >= 0);
  const overlaid = visible.filter((record) =>
    visible.every(
      (other) =>
        other.type !== record.type ||
        nameKey(other.owner) !== nameKey(record.owner) ||
        rank(other) <= rank(record),
    ),
  );
  return overlaid.filter(
    (record) =>
      record.type !== TYPE.CNAME ||
      overlaid.every(
        (other) => other.type === TYPE.CNAME || nameKey(other.owner) !== nameKey(record.owner),
      ),
  );
}

/** The zones of one view as if there were no other. */
function alone(view: ZoneView, records: readonly ZoneRecord[]): ZoneTree {
  const zones = ZONES.flatMap((zone) => {
    const shown = shownIn(
      view,
      records.filter((record) => nameKey(record.zone) === nameKey(zone)),
    );
    if (!shown.some(({ type }) => type === TYPE.SOA)) return [];
    const lines = shown.map(({ owner, type, ttl, rdata }) => ({
      ...{ owner, type, ttl, rdata },
      ...{ view: "public" as const, origin: { kind: "default" as const } },
    }));
    return [plainZone(zone, 0, lines)];
  });
  return new ZoneTree(zones);
}

/** All that an answer says, but for serials, in an order of its own. */
function said(tree: ZoneTree, name: string, type: number, view: ZoneView) {
  const found = answerQuestion(tree, parseDnsName(name), type, view);
  const text = ({ owner, rrset }: AnswerSet): string[] =>
    rrset.rdata.map((rdata) => {
      const data = rrset.type === TYPE.SOA ? "" : formatRdata(rrset.type, rdata);
      return `${formatDnsName(owner)} ${rrset.ttl} ${formatType(rrset.type)} ${data}`;
    });
  const sorted = (sets: readonly AnswerSet[]): string[] =>
    sets.flatMap(text).toSorted((a, b) => (a < b ? -1 : 1));
  const { rcode, authoritative, answer, authority, additional } = found;
  return [rcode, authoritative, sorted(answer), sorted(authority), sorted(additional)];
}

const NAMES = ["example", ...LABELS.map((label) => `${label}.example`)].flatMap((name) => [
  name,
  ...LABELS.map((label) => `${label}.${name}`),
  ...LABELS.map((label) => `x.${label}.${name}`),
]);

describe("the overlay of views", () => {
  it("answers as zones that are built for each view by itself", () => {
    const random = new SeededRandom(20_261_122);
    let differing = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const records = randomRecords(random);
      const source = new StaticSource(["quimper", "brest"]);
      for (const record of random.shuffled(records)) {
        source.put("zone", zoneRecordKey(record), { ...zoneRecordJson(record) });
      }
      const state = { view: source.view(), ownSite: HERE, sites: [], serialOffset: 0 };
      const together = new ZoneTree(buildZones({ ...state, othersHash: () => 0 }));
      const each = new Map(ZONE_VIEWS.map((view) => [view, alone(view, records)]));
      for (const name of new Set(NAMES)) {
        for (const type of [TYPE.A, TYPE.NS, TYPE.TXT, TYPE.CNAME, TYPE.DS, TYPE.SOA]) {
          const answers = ZONE_VIEWS.map((view) => {
            const own = each.get(view);
            ok(own !== undefined);
            const answer = said(together, name, type, view);
            const what = `round ${round}: ${name} ${formatType(type)} in ${view}`;
            deepEqual(answer, said(own, name, type, "public"), what);
            return JSON.stringify(answer);
          });
          if (new Set(answers).size > 1) differing += 1;
        }
      }
    }
    // Views that are all alike would show nothing.
    ok(differing > ROUNDS * 50, `${differing} questions were answered in more than one way`);
  });
});
