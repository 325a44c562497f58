import { deepEqual, equal, notEqual, throws } from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { z } from "zod";
import { parseDnsName } from "./dns-name.ts";
import { parseType, TYPE } from "./dns-type.ts";
import { hashId, toHex, type SiteId } from "../ids.ts";
import { hexId } from "../logs/record.ts";
import { formatRdata } from "./rdata.ts";
import {
  makeZoneRecord,
  parseZoneType,
  readZoneRecord,
  zoneRecordJson,
  zoneRecordKey,
} from "./zone-record.ts";
import { ZONE_VIEWS, type ViewPlace } from "./zone-view.ts";

const site = hashId<SiteId>("a site");
const zone = parseDnsName("Mesh.example.");
const at = (name: string) => parseDnsName(name, zone);

const vectors = z
  .object({
    records: z.array(
      z.object({
        zone: z.string(),
        name: z.string(),
        type: z.string(),
        ttl: z.number(),
        written: z.string(),
        key: z.string(),
        value: z.unknown(),
        wire: z.string(),
        place: z
          .object({ view: z.enum(ZONE_VIEWS), site: hexId<SiteId>().exactOptional() })
          .optional(),
      }),
    ),
  })
  .parse(JSON.parse(readFileSync(new URL("../vectors/zones.json", import.meta.url), "utf8")));

describe("a replicated DNS record", () => {
  it("is the one of the vectors", () => {
    for (const each of vectors.records) {
      const { name, type, ttl, written, place, key, value, wire } = each;
      const [apex, owner] = [parseDnsName(each.zone), parseDnsName(name)];
      const record = makeZoneRecord(apex, owner, parseType(type), ttl, written, place);
      deepEqual([zoneRecordKey(record), zoneRecordJson(record)], [key, value]);
      equal(toHex(record.rdata), wire);
      deepEqual(readZoneRecord(key, value), record);
    }
  });

  it("reads back from its key and value", () => {
    const record = makeZoneRecord(zone, at("WWW"), TYPE.A, 300, "192.0.2.1");
    const key = zoneRecordKey(record);
    equal(key.startsWith("mesh.example/www/A/"), true);
    deepEqual(zoneRecordJson(record), { ttl: 300, data: "192.0.2.1", view: "public" });
    deepEqual(readZoneRecord(key, zoneRecordJson(record)), record);
  });

  it("is one record when two nodes add the same, and two when they differ", () => {
    const one = zoneRecordKey(makeZoneRecord(zone, at("www"), TYPE.AAAA, 300, "2001:db8::1"));
    const same = zoneRecordKey(makeZoneRecord(zone, at("Www"), TYPE.AAAA, 60, "2001:DB8:0::1"));
    const other = zoneRecordKey(makeZoneRecord(zone, at("www"), TYPE.AAAA, 300, "2001:db8::2"));
    equal(one, same);
    notEqual(one, other);
  });

  it("is another record in another view, and for one site only", () => {
    const key = (type: number, data: string, place: ViewPlace) =>
      zoneRecordKey(makeZoneRecord(zone, at("www"), type, 300, data, place));
    const places: ViewPlace[] = [
      ...ZONE_VIEWS.map((view) => ({ view })),
      { view: "lan", site },
      { view: "lan", site: hashId("another site") },
    ];
    for (const [type, data] of [[TYPE.A, "192.0.2.1"] as const, [TYPE.CNAME, "a"] as const]) {
      const keys = places.map((place) => key(type, data, place));
      equal(new Set(keys).size, places.length);
      for (const place of places) {
        const record = makeZoneRecord(zone, at("www"), type, 300, data, place);
        deepEqual(readZoneRecord(zoneRecordKey(record), zoneRecordJson(record)), record);
      }
    }
    throws(() => key(TYPE.A, "192.0.2.1", { view: "mesh", site }), { code: "E-DNS-VALUE" });
  });

  it("has one place for a CNAME", () => {
    const one = zoneRecordKey(makeZoneRecord(zone, at("www"), TYPE.CNAME, 300, "a"));
    const other = zoneRecordKey(makeZoneRecord(zone, at("www"), TYPE.CNAME, 300, "b"));
    equal(one, other);
  });

  it("keeps slashes of a name out of the structure of the key", () => {
    const reverse = parseDnsName("2.0.192.in-addr.arpa.");
    const owner = parseDnsName("1.0/25", reverse);
    const record = makeZoneRecord(reverse, owner, TYPE.PTR, 300, "a.example.");
    equal(zoneRecordKey(record).split("/").length, 4);
    deepEqual(readZoneRecord(zoneRecordKey(record), zoneRecordJson(record)), record);
  });

  it("takes TXT without quotes as it is, cut into strings", () => {
    const text = (data: string) =>
      formatRdata(TYPE.TXT, makeZoneRecord(zone, at("t"), TYPE.TXT, 60, data).rdata);
    equal(text("v=DKIM1; k=rsa"), '"v=DKIM1; k=rsa"');
    equal(text('say "hi" \\ é'), '"say \\"hi\\" \\\\ \\195\\169"');
    equal(text('"a" "b"'), '"a" "b"');
    equal(text("x".repeat(300)), `"${"x".repeat(255)}" "${"x".repeat(45)}"`);
  });

  it("refuses records that have no place", () => {
    const make = (name: string, type: number, data: string) =>
      makeZoneRecord(zone, parseDnsName(name, zone), type, 60, data);
    throws(() => make("@", TYPE.CNAME, "a"), { code: "E-DNS-TYPE" });
    throws(() => make("a", TYPE.SOA, ". a 1 1 1 1 1"), { code: "E-DNS-TYPE" });
    throws(() => make("www.other.", TYPE.A, "192.0.2.1"), { code: "E-DNS-NAME" });
    throws(() => makeZoneRecord(zone, zone, TYPE.A, 2 ** 31, "192.0.2.1"), { code: "E-DNS-TTL" });
    throws(() => makeZoneRecord(zone, zone, TYPE.A, -1, "192.0.2.1"), { code: "E-DNS-TTL" });
    throws(() => parseZoneType("AXFR"), { code: "E-DNS-TYPE" });
    throws(() => parseZoneType("RRSIG"), { code: "E-DNS-TYPE" });
    throws(() => parseZoneType("OPT"), { code: "E-DNS-TYPE" });
  });

  it("refuses what a hostile member might replicate", () => {
    const record = makeZoneRecord(zone, at("www"), TYPE.A, 300, "192.0.2.1");
    const key = zoneRecordKey(record);
    const value = zoneRecordJson(record);
    throws(() => readZoneRecord(key, { ...value, data: "192.0.2.2" }), { code: "E-DNS-VALUE" });
    throws(() => readZoneRecord(key.replace("www", "WWW"), value), { code: "E-DNS-VALUE" });
    throws(() => readZoneRecord(`${key}/x`, value), { code: "E-DNS-VALUE" });
    throws(() => readZoneRecord(key, { ...value, ttl: -1 }), { code: "E-DNS-VALUE" });
    throws(() => readZoneRecord(key, { ...value, view: "lan" }), { code: "E-DNS-VALUE" });
    throws(() => readZoneRecord(key, { ...value, view: "moon" }), { code: "E-DNS-VALUE" });
    throws(() => readZoneRecord(key, { ...value, site }), { code: "E-DNS-VALUE" });
    const local = makeZoneRecord(zone, at("www"), TYPE.A, 300, "192.0.2.1", { view: "lan", site });
    const [localKey, localValue] = [zoneRecordKey(local), zoneRecordJson(local)];
    for (const wrong of ["", site.slice(2), site.toUpperCase(), hashId("another site"), 1, null]) {
      const said = { ...localValue, site: wrong };
      throws(() => readZoneRecord(localKey, said), { code: "E-DNS-VALUE" });
    }
    const { site: _, ...everywhere } = localValue;
    throws(() => readZoneRecord(localKey, everywhere), { code: "E-DNS-VALUE" });
    throws(() => readZoneRecord(localKey, { ...localValue, view: "mesh" }), {
      code: "E-DNS-VALUE",
    });
    throws(() => readZoneRecord("", value), { code: "E-DNS-NAME" });
    throws(() => readZoneRecord(key.replace("/A/", "/OPT/"), value), { code: "E-DNS-TYPE" });
  });
});
