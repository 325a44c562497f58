import { deepEqual, equal, ok } from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { parseDnsName } from "../../../protocol/dns/dns-name.ts";
import { TYPE } from "../../../protocol/dns/dns-type.ts";
import {
  makeZoneRecord,
  readZoneRecord,
  zoneRecordKey,
  zoneRecordJson,
} from "../../../protocol/dns/zone-record.ts";
import type { LogId, SiteId, VersionId } from "../../../protocol/ids.ts";
import type { ViewEntry } from "../logs/view.ts";
import { baseOf, latestBase, rivalBases, serialFrom, settledSoa } from "./serial-base.ts";
import { isLaterSerial } from "./zone-serial.ts";

const ZONE = parseDnsName("mesh.example");
const [HERE, THERE] = ["11".repeat(32), "22".repeat(32)] as [SiteId, SiteId];
const none = { versionId: "" as VersionId, log: "" as LogId, seq: 1 };

function soa(serial: number) {
  return makeZoneRecord(ZONE, ZONE, TYPE.SOA, 3600, `ns root ${serial} 3600 300 1209600 60`);
}

const viewOf = (...entries: readonly ViewEntry[]) => ({ entries: () => entries });

function entryOf(shown: unknown, ...rivals: readonly unknown[]): ViewEntry {
  const conflicts = rivals.map((value) => ({ ...none, author: THERE, value }));
  const at = { class: "zone", key: zoneRecordKey(soa(0)), author: HERE, lamport: 1 } as const;
  return { ...none, ...at, value: shown, conflicts } as ViewEntry;
}

const counted = (serialOffset: number) => ({ serialOffset, othersHash: () => 0 });

describe("the base of a serial", () => {
  it("is the latest of those that sites wrote at once, whichever is shown", () => {
    const offset = counted(6400);
    const [low, high] = [zoneRecordJson(soa(1)), zoneRecordJson(soa(2_026_010_100))];
    for (const entry of [entryOf(low, high), entryOf(high, low)]) {
      const shown = baseOf(readZoneRecord(entry.key, entry.value), entry.author);
      const base = latestBase([shown, ...rivalBases(entry)], offset);
      equal(serialFrom(base, offset), 2_026_010_100 + 6400);
    }
  });

  it("compares what is served, not what stands in the record", () => {
    // Imported long ago with a large serial, against a small one that has been counted from since.
    const stood = { ...soa(900), stands: { count: 100, others: 0 } };
    const [imported, plain] = [baseOf(stood, HERE), baseOf(soa(1), THERE)];
    const early = counted(100 * 64);
    deepEqual(latestBase([imported, plain], early), plain);
    deepEqual(serialFrom(plain, early), 6401);
  });

  it("passes over what is no SOA record of ours", () => {
    deepEqual(rivalBases(entryOf({}, { ttl: 1 }, undefined, "text", [])), []);
  });

  it("goes on from the latest when one of several is kept, or a new one is written", () => {
    const [low, high] = [zoneRecordJson(soa(7)), zoneRecordJson(soa(2_000_000_000))];
    const standing = entryOf(low, high);
    for (const written of [soa(7), soa(1)]) {
      const settled = settledSoa(written, viewOf(standing), counted(64));
      equal(serialFrom(baseOf(settled, THERE), counted(64)), 2_000_000_064);
      equal(settled.stands, undefined);
    }
    deepEqual(settledSoa(soa(5), viewOf(), counted(64)), soa(5));
  });

  it("never makes a serial go back when two sides meet, and when people settle it then", () => {
    const serial = fc.integer({ min: 0, max: 2 ** 31 - 2 ** 20 });
    const count = fc.integer({ min: 1, max: 1000 });
    fc.assert(
      fc.property(serial, serial, count, count, (left, right, ownCount, otherCount) => {
        const own = serialFrom(baseOf(soa(left), HERE), counted(ownCount * 64));
        const other = serialFrom(baseOf(soa(right), THERE), counted(otherCount * 64));
        const merged = counted((ownCount + otherCount) * 64);
        const entry = entryOf(zoneRecordJson(soa(left)), zoneRecordJson(soa(right)));
        const shown = baseOf(soa(left), HERE);
        const together = serialFrom(latestBase([shown, ...rivalBases(entry)], merged), merged);
        for (const before of [own, other]) ok(isLaterSerial(together, before));
        const kept = baseOf(settledSoa(soa(left), viewOf(entry), merged), HERE);
        equal(serialFrom(kept, merged), together);
      }),
    );
  });
});
