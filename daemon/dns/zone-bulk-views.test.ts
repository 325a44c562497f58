import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { FakeDisk } from "../../test-mesh/fakes/store.ts";
import { StaticSource } from "../../test-mesh/dns/static-source.ts";
import { parseDnsName } from "../../protocol/dns/dns-name.ts";
import type { ViewPlace } from "../../protocol/dns/zone-view.ts";
import { buildZones } from "../core/zones/zone-build.ts";
import { isLaterSerial } from "../core/zones/zone-serial.ts";
import { systemClock } from "../observe/system-clock.ts";
import { ChangeJournal } from "./change-journal.ts";
import { ZoneBulk, type BulkRequest } from "./zone-bulk.ts";
import { serialsOf } from "./zone-source.ts";

const ZONE = "mesh.example";
const APEX = parseDnsName(ZONE);
const MESH: ViewPlace = { view: "mesh" };
const LAN: ViewPlace = { view: "lan" };

let source: StaticSource;
let bulk: ZoneBulk;

const served = () =>
  buildZones({
    ...{ view: source.view(), ownSite: source.siteId, sites: [] },
    ...serialsOf(source),
  });

const serial = (): number => served()[0]?.serial ?? -1;

/** The keys of all records, without the hashes in them. */
const places = (): string[] =>
  source
    .view()
    .entries("zone")
    .map(({ key, value }) => {
      const [, name = "", type = ""] = key.split("/");
      return `${name} ${type} ${(value as { view: string }).view}`;
    });

const soa = (text: string, refreshSeconds = 3600) => ({
  ...{ zone: ZONE, name: ZONE, type: "SOA", ttl: 300 },
  data: `ns.example. host.example. ${text} ${refreshSeconds} 300 1209600 60`,
});
const address = (data: string) => ({ zone: ZONE, name: `www.${ZONE}`, type: "A", ttl: 300, data });

const put = (place: ViewPlace | undefined, ...puts: BulkRequest["puts"]) =>
  bulk.apply({ place, puts, removes: [], last: true });

beforeEach(async () => {
  source = new StaticSource(["quimper"]);
  const view = (): ReturnType<StaticSource["view"]> => source.view();
  const serials = () => serialsOf(source);
  const { siteId } = source;
  const journal = await ChangeJournal.open({
    ...{ store: new FakeDisk().open(), writer: source, view, clock: systemClock, siteId },
    sites: () => [],
  });
  bulk = new ZoneBulk({ view, journal, served, reload: () => {}, serials, siteId });
});

describe("a bulk change of a view", () => {
  it("writes and removes the records of that view, and is taken back as a whole", async () => {
    await put(undefined, soa("7"), address("192.0.2.1"));
    const before = places();
    const { change } = await put(MESH, address("10.0.0.1"), address("10.0.0.2"));
    equal(places().length, before.length + 2);
    const removed = await bulk.apply({
      ...{ place: MESH, puts: [], last: true },
      removes: [address("10.0.0.1"), address("192.0.2.1")],
    });
    equal(removed.removed, 1);
    await bulk.undo(removed.change ?? "");
    await bulk.undo(change ?? "");
    deepEqual(places(), before);
  });

  it("takes no serial back, whichever view a SOA record is brought for", async () => {
    await put(LAN, soa("2026112200"), address("192.168.1.1"));
    equal(serial(), 2_026_112_200);
    const changes: string[] = [];
    for (const [place, text] of [
      [MESH, "5"],
      [undefined, "2026112100"],
      [LAN, "9"],
      [undefined, "2030000000"],
      [MESH, "7"],
    ] as const) {
      const last = serial();
      const { change } = await put(place, soa(text, 4000 + changes.length));
      ok(isLaterSerial(serial(), last), `${serial()} after ${last}`);
      changes.push(change ?? "");
    }
    const last = serial();
    await bulk.undo(changes.at(-1) ?? "");
    ok(isLaterSerial(serial(), last), `${serial()} after ${last} and undo`);
    deepEqual(places().toSorted(), ["@ SOA lan", "@ SOA mesh", "@ SOA public", "www A lan"]);
  });

  it("goes on with the serial when the record is removed that it counts from", async () => {
    await put(LAN, soa("7"), address("192.168.1.1"));
    const { change } = await put(undefined, soa("2026112201"));
    ok(serial() >= 2_026_112_201);
    for (const remove of [
      () => bulk.undo(change ?? ""),
      async () => {
        await put(MESH, soa("2030000000"));
        await bulk.removeSoa(APEX, MESH);
      },
    ]) {
      const last = serial();
      await remove();
      ok(isLaterSerial(serial(), last), `${serial()} after ${last}`);
      deepEqual(places(), ["@ SOA lan", "www A lan"]);
    }
    ok(serial() > 2_030_000_000);
    await rejects(bulk.removeSoa(APEX, LAN), { code: "E-DNS-CONFLICT" });
    await rejects(bulk.removeSoa(APEX, MESH), { code: "E-DNS-RECORD" });
  });

  it("is taken back though others have written below a zone that another view still has", async () => {
    await put(LAN, soa("7"));
    const { change } = await put(undefined, soa("8"));
    await put(LAN, address("192.168.1.1"));
    await bulk.undo(change ?? "");
    deepEqual(places(), ["@ SOA lan", "www A lan"]);
  });
});
