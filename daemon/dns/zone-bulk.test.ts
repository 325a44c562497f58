import { deepEqual, equal, match, ok, rejects } from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { FakeDisk } from "../../test-mesh/fakes/store.ts";
import { siteIdOf, StaticSource } from "../../test-mesh/dns/static-source.ts";
import { buildZones } from "../core/zones/zone-build.ts";
import { isLaterSerial } from "../core/zones/zone-serial.ts";
import type { Zone } from "../core/zones/zone.ts";
import { systemClock } from "../observe/system-clock.ts";
import { ChangeJournal } from "./change-journal.ts";
import { ZoneBulk, type BulkRequest } from "./zone-bulk.ts";
import { exportZone } from "./zone-report.ts";
import { serialsOf } from "./zone-source.ts";

const SITE = siteIdOf("quimper");
const BREST = siteIdOf("brest");
const ZONE = "mesh.example";
const SOA = "ns.example. host.example. 2026112101 3600 300 1209600 60";

let source: StaticSource;
let disk: FakeDisk;
let journal: ChangeJournal;
let bulk: ZoneBulk;

function served(): readonly Zone[] {
  const sites = [{ siteId: SITE, name: "quimper" }];
  return buildZones({ view: source.view(), ownSite: SITE, sites, ...serialsOf(source) });
}

async function open(): Promise<void> {
  const view = () => source.view();
  journal = await ChangeJournal.open({
    ...{ store: disk.open(), writer: source, view, clock: systemClock, siteId: SITE },
    sites: () => [
      { siteId: SITE, name: "quimper" },
      { siteId: BREST, name: "brest" },
    ],
  });
  const serials = () => serialsOf(source);
  bulk = new ZoneBulk({ view, journal, served, reload: () => {}, serials, siteId: SITE });
}

const record = (name: string, type: string, data: string, ttl = 300) => ({
  ...{ zone: ZONE, name: name === "@" ? ZONE : `${name}.${ZONE}`, type, ttl, data },
});

const put = (...puts: BulkRequest["puts"]): Promise<{ change: string | null; zones: unknown }> =>
  bulk.apply({ puts, removes: [], last: true });

const serial = (): number => served()[0]?.serial ?? -1;
const text = (): string =>
  served()
    .map((zone) => exportZone(zone, "public"))
    .join("");
/** Everything but the serial. */
const content = (): string => text().replace(/(\tSOA\t\S+ \S+ )\d+/, "$1N");

beforeEach(async () => {
  source = new StaticSource(["quimper"]);
  disk = new FakeDisk();
  await open();
});

describe("a bulk change", () => {
  it("serves an imported zone with its own serial until the next change", async () => {
    source.put("site", "node", { addresses: [], version: "1", dns: [] }, SITE);
    const { zones } = await put(record("@", "SOA", SOA), record("www", "A", "192.0.2.1"));
    deepEqual(zones, [{ zone: ZONE, serial: 2_026_112_101 }]);
    equal(serial(), 2_026_112_101);
    await put(record("www", "A", "192.0.2.2"));
    ok(isLaterSerial(serial(), 2_026_112_101));
  });

  it("gives several zones their serials in one write", async () => {
    const zones = ["one.example", "two.example", "three.example"];
    await put(
      ...zones.map((zone, index) => ({
        ...{ zone, name: zone, type: "SOA", ttl: 5 },
        data: `ns.${zone}. host.${zone}. ${index + 3} 1 1 1 1`,
      })),
    );
    deepEqual(
      served().map((zone) => zone.serial),
      [3, 5, 4],
    );
  });

  it("never takes the serial of a zone back, and takes one that is ahead", async () => {
    await put(record("@", "SOA", SOA));
    const before = serial();
    await put(record("@", "SOA", SOA.replace("2026112101", "7").replace("3600", "7200")));
    ok(isLaterSerial(serial(), before));
    match(text(), / \d+ 7200 300/);
    await put(record("@", "SOA", SOA.replace("2026112101", "2026122501")));
    equal(serial(), 2_026_122_501);
  });

  it("changes nothing when one record of a batch is unsound", async () => {
    await put(record("@", "SOA", SOA));
    const before = text();
    await rejects(put(record("a", "A", "192.0.2.1"), record("b", "A", "192.0.2.300")), {
      code: "E-DNS-VALUE",
    });
    await rejects(put({ ...record("a", "A", "192.0.2.1"), zone: "x.local" }), {
      code: "E-DNS-ZONE",
    });
    equal(text(), before);
    equal(journal.list().length, 1);
  });

  it("has one number for all its batches, and none when all was so already", async () => {
    const first = await bulk.apply({
      puts: [record("a", "A", "192.0.2.1")],
      removes: [],
      last: false,
    });
    ok(first.change !== null);
    const soa = [record("@", "SOA", SOA)];
    const second = await bulk.apply({ change: first.change, puts: soa, removes: [], last: true });
    equal(second.change, first.change);
    const { change } = await put(record("a", "A", "192.0.2.1"));
    equal(change, null);
    equal(journal.list().length, 1);
  });
});

describe("undo", () => {
  const change = async (...puts: BulkRequest["puts"]): Promise<string> =>
    (await put(...puts)).change ?? "";

  it("puts back exactly what was there, also after a restart", async () => {
    await put(record("@", "SOA", SOA), record("a", "A", "192.0.2.1"), record("b", "TXT", "x"));
    const before = content();
    const at = serial();
    const { change: id } = await bulk.apply({
      puts: [
        record("a", "A", "192.0.2.1", 60),
        record("c", "A", "192.0.2.3"),
        record("@", "SOA", SOA.replace("2026112101", "2026122501").replace("3600", "60")),
      ],
      removes: [{ zone: ZONE, name: `b.${ZONE}`, type: "TXT", data: "x" }],
      last: true,
    });
    equal(serial(), 2_026_122_501);
    await open();
    const undone = await bulk.undo(id ?? "");
    equal(content(), before);
    ok(isLaterSerial(serial(), at));
    ok(isLaterSerial(serial(), 2_026_122_501));
    await bulk.undo(undone.change ?? "");
    match(content(), /^c\t300\tIN\tA\t192\.0\.2\.3$/m);
  });

  it("takes a new zone away, and brings a removed one back", async () => {
    const id = await change(record("@", "SOA", SOA), record("a", "A", "192.0.2.1"));
    const before = content();
    const last = serial();
    const { change: back } = await bulk.undo(id);
    deepEqual(served(), []);
    await bulk.undo(back ?? "");
    equal(content(), before);
    ok(isLaterSerial(serial(), last));
  });

  it("refuses when somebody has changed a record since, and changes nothing", async () => {
    await put(record("@", "SOA", SOA), record("a", "CNAME", "b"));
    const id = await change(record("a", "CNAME", "c"), record("d", "A", "192.0.2.1"));
    await put(record("a", "CNAME", "e"));
    const before = text();
    await rejects(
      bulk.undo(id),
      /cannot be undone: somebody has changed a\.mesh\.example CNAME since/,
    );
    equal(text(), before);
  });

  it("refuses to take a zone away under records that came later", async () => {
    const id = await change(record("@", "SOA", SOA));
    await put(record("a", "A", "192.0.2.1"));
    await rejects(bulk.undo(id), /somebody has changed a\.mesh\.example A since/);
  });

  it("does nothing when the change is taken back already, and knows no other numbers", async () => {
    await put(record("@", "SOA", SOA));
    const id = await change(record("a", "A", "192.0.2.1"));
    await bulk.undo(id);
    await rejects(bulk.undo(id), { code: "E-DNS-UNDO" });
    await rejects(bulk.undo("ffffffff"), /No change ffffffff was made at this site/);
    const elsewhere = `${BREST.slice(0, 4)}a1b2c3`;
    const hint = new RegExp(`Run at brest:  pleach dns undo ${elsewhere}`);
    await rejects(bulk.undo(elsewhere), { code: "E-DNS-UNDO", message: /was made at brest/, hint });
  });

  it("keeps the newest thousand changes", async () => {
    await put(record("@", "SOA", SOA));
    for (let n = 0; n < 1002; n++) await put(record("a", "CNAME", `n${n}`));
    equal(journal.list().length, 1000);
    const [newest] = journal.list();
    await open();
    equal(journal.list()[0]?.id, newest?.id);
    equal((await bulk.undo(newest?.id ?? "")).written, 1);
  });
});
